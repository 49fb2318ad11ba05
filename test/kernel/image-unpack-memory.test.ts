/** What unpacking takes does not grow with the layer: the peak of the worker's memory, as the kernel has counted it. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { DEFAULT_LIMITS } from "../../src/image/layer/limits.ts";
import type { LayerAnswer, LayerRequest } from "../../src/image/worker/jobs.ts";
import { asCaller, caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { environment, installationFolder, makeOwned, pycriCommand } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { AS_NAMESPACE_ROOT, asNamespaceRoot, newDirectory } from "../support/unpack.ts";

const MB = 1_000_000;
const FILE_BYTES = 8 * MB;
/** Files of the smaller and of the larger layer, eight times as large. */
const FEW = 4;
const MANY = 32;
/** What V8 may keep or not keep for a while, MB: a tenth of what the layers differ by. */
const TOLERANCE = 22;

/** Noise that repeats itself, so that it is packed fast. */
const contents = Buffer.alloc(FILE_BYTES, createHash("shake256", { outputLength: 6007 }).update("noise").digest());

const layer = (files: number): Buffer =>
  tar(Array.from({ length: files }, (_, index) => ({ name: `file-${index}`, data: contents })));

/** Peak of the worker's resident memory while it unpacked `blob`, MB (proc_pid_status(5), VmHWM). */
async function peakOf(blob: Uint8Array): Promise<number> {
  const place = newDirectory();
  const path = join(place, "blob");
  writeFileSync(path, blob);
  chownSync(path, caller.uid, caller.gid);
  const directory = makeOwned(join(place, "diff"));
  const [node] = pycriCommand;
  const worker = [node, join(installationFolder, "dist/image-worker.cjs"), JSON.stringify({ op: "serve" })];
  const [program, ...args] = [...AS_NAMESPACE_ROOT, ...worker];
  // unshare(1) becomes the worker: the process is the same.
  const child = spawn(program, args, { ...asCaller, env: environment, stdio: ["pipe", "pipe", "inherit"] });
  const job = {
    op: "unpack",
    blob: path,
    directory,
    bottom: true,
    owners: "apply",
    limits: { ...DEFAULT_LIMITS, ratio: 1e6 },
    diffId: null,
    zstdProgram: null,
  } as const;
  child.stdin.write(`${JSON.stringify({ number: 0, job } satisfies LayerRequest)}\n`);
  let peak = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const { outcome } = JSON.parse(line) as LayerAnswer;
    if (outcome.kind !== "done") child.kill();
    assert.equal(outcome.kind, "done");
    // It waits for more to do.
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
    peak = (Number(kilobytes) * 1024) / MB;
    child.stdin.end();
  }
  await asNamespaceRoot("rm", "-r", directory);
  rmSync(path);
  return peak;
}

const zstd = (bytes: Uint8Array): Buffer => execFileSync("zstd", ["-qc1"], { input: bytes, maxBuffer: 1 << 29 });

for (const [name, pack, programs] of [
  ["plain", (bytes: Buffer): Buffer => bytes, []],
  ["gzip", (bytes: Buffer): Buffer => gzipSync(bytes, { level: 1 }), []],
  ["zstd", zstd, ["zstd"]],
] as const) {
  kernelTest(
    `${name}: a layer eight times as large takes no more memory`,
    async () => {
      const small = await peakOf(pack(layer(FEW)));
      const large = await peakOf(pack(layer(MANY)));
      const megabytes = `${small.toFixed(0)} and ${large.toFixed(0)} MB`;
      assert.ok(small > 20, `${megabytes}: that is less than Node alone`);
      assert.ok(large - small < TOLERANCE, megabytes);
    },
    programs,
  );
}
