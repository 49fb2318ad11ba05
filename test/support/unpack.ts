/**
 * Unpacking single layers as the caller: the image worker itself, in a user namespace with the caller's subordinate ids that
 * unshare(1) makes, so that its answer and the failure with its code are seen as the store sees them.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chownSync, lstatSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LIMITS, type LayerLimits } from "../../src/image/layer/limits.ts";
import type {
  LayerRequest,
  Outcome as Answered,
  UnpackJob,
  UnpackReport,
  WorkerFailure,
  WorkerJob,
} from "../../src/image/worker/jobs.ts";
import { caller } from "./caller.ts";
import { command, type Outcome } from "./run.ts";
import { installationFolder, makeOwned, pycriCommand, scratch } from "./scratch.ts";

/** argv that begins a command as root of a user namespace with all the caller's ids. */
export const AS_NAMESPACE_ROOT = ["unshare", "--map-root-user", "--map-auto"] as const;
/** The same with one id. */
const AS_SINGLE_ROOT = ["unshare", "--map-root-user"] as const;

let count = 0;

/** A new directory of the caller's. */
export function newDirectory(): string {
  return makeOwned(join(scratch, `place-${count++}`));
}

export interface UnpackOptions {
  readonly limits?: Partial<LayerLimits>;
  /** Layers lie below. */
  readonly upper?: boolean;
  /** One id only. */
  readonly single?: boolean;
  /** Path of zstd(1). */
  readonly zstdProgram?: string;
  readonly diffId?: UnpackJob["diffId"];
  /** Instead of a new one. */
  readonly directory?: string;
}

export interface Unpacked {
  readonly directory: string;
  readonly report: UnpackReport | null;
  readonly failure: WorkerFailure | null;
}

/** Unpack an archive, compressed or plain. */
export async function unpack(archive: Uint8Array, options: UnpackOptions = {}): Promise<Unpacked> {
  const place = newDirectory();
  const directory = options.directory ?? makeOwned(join(place, "diff"));
  const blob = join(place, "blob");
  writeFileSync(blob, archive);
  chownSync(blob, caller.uid, caller.gid);
  const single = options.single === true;
  const job: UnpackJob = {
    op: "unpack",
    blob,
    directory,
    bottom: options.upper !== true,
    owners: single ? "record" : "apply",
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    diffId: options.diffId ?? null,
    zstdProgram: options.zstdProgram ?? null,
  };
  const request = `${JSON.stringify({ number: 0, job } satisfies LayerRequest)}\n`;
  const { status, stdout, stderr } = await runWorker({ op: "serve" }, request, single);
  assert.equal(status, 0, `the worker died: ${stderr}`);
  const { outcome } = JSON.parse(stdout) as { readonly outcome: Answered<UnpackReport> };
  return outcome.kind === "done"
    ? { directory, report: outcome.report, failure: null }
    : { directory, report: null, failure: outcome.failure };
}

/** Unpack what must be accepted. */
export async function unpacked(
  archive: Uint8Array,
  options: UnpackOptions = {},
): Promise<Unpacked & { readonly report: UnpackReport }> {
  const { directory, report, failure } = await unpack(archive, options);
  assert.equal(failure, null);
  assert.ok(report !== null);
  return { directory, report, failure };
}

/** `input`: written to stdin. */
export function runWorker(job: WorkerJob, input: string | null, single = false): Promise<Outcome> {
  const [node] = pycriCommand;
  const worker = [node, join(installationFolder, "dist/image-worker.cjs"), JSON.stringify(job)];
  const namespace = single ? AS_SINGLE_ROOT : AS_NAMESPACE_ROOT;
  return command([...namespace, ...worker], input === null ? {} : { input });
}

/** Run a command as root of the namespace; it must succeed. */
export async function asNamespaceRoot(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await command([...AS_NAMESPACE_ROOT, ...argv]);
  assert.equal(status, 0, `${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/**
 * Everything that can be told of a tree, a line for each file: type, mode, owner, link count, time to the nanosecond, size,
 * link target, digest of the contents, extended attributes. Read as root of the namespace, so owners are the container's.
 */
export async function describeTree(directory: string): Promise<readonly string[]> {
  const list = 'find . -printf "%P|%y|%m|%U:%G|%n|%T@|%s|%l\\n" | sort';
  const sums = "find . -type f -print0 | sort -z | xargs -0r sha256sum";
  const attributes = "getfattr -dhR -m - -e hex . 2>/dev/null";
  const script = `cd "$1" && { ${list}; ${sums}; ${attributes}; }`;
  const text = await asNamespaceRoot("sh", "-c", script, "sh", directory);
  // Sizes of directories depend on their history.
  return text.split("\n").map((line) => line.replace(/^(.*\|d\|.*)\|\d+\|$/, "$1"));
}

/** Names, kinds, modes, times and contents of everything below a directory, but for what is below `without`. */
export function snapshot(directory: string, without: readonly string[] = []): readonly string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    const file = join(directory, path);
    const status = lstatSync(file);
    const { mode, uid, gid, nlink, mtimeMs, ctimeMs, size } = status;
    const content = status.isFile()
      ? createHash("sha256").update(readFileSync(file)).digest("hex")
      : status.isSymbolicLink()
        ? readlinkSync(file)
        : "";
    lines.push([path, mode.toString(8), uid, gid, nlink, mtimeMs, ctimeMs, size, content].join("|"));
    if (!status.isDirectory()) return;
    for (const name of readdirSync(file).toSorted()) if (!without.includes(name)) visit(join(path, name));
  };
  visit("");
  return lines;
}
