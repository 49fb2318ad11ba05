/** Entry point of the image worker (`jobs.ts`). */

import { createHash } from "node:crypto";
import { chownSync, createReadStream, readSync, rmSync, writeSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { digestAlgorithm, makeDigest } from "../../oci/descriptor.ts";
import { confineTo } from "../../sys/confinement.ts";
import { MAGIC_BYTES, decompress, detectCompression } from "../layer/decompress.ts";
import { LayerWriter } from "../layer/layer-writer.ts";
import { LayerAccount } from "../layer/limits.ts";
import { readTar } from "../layer/tar-reader.ts";
import { writeTreeArchive } from "../layer/tree-archive.ts";
import { compareTrees } from "../layer/tree-compare.ts";
import { copyTree } from "../layer/tree-copy.ts";
import { extractTree } from "../layer/tree-extract.ts";
import type { UnpackJob, WorkerFailure, WorkerJob } from "./jobs.ts";

const INPUT_CHUNK_BYTES = 256 * 1024;
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

async function run(job: WorkerJob): Promise<unknown> {
  // Modes come from archives, all bits of them.
  process.umask(0);
  switch (job.op) {
    case "unpack":
      return unpack(job);
    case "remove":
      for (const path of job.paths) rmSync(path, { recursive: true, force: true });
      return {};
    case "archive":
      confineTo(job.root ?? `/proc/self/fd/${STDIN}`);
      writeTreeArchive(job, STDOUT);
      return null;
    case "extract":
      confineTo(job.root ?? `/proc/self/fd/${STDOUT}`);
      await extractTree(job, createReadStream("", { fd: STDIN, highWaterMark: INPUT_CHUNK_BYTES }));
      return null;
    case "copy":
      copyTree(job.layers, job.target);
      return null;
    case "compare":
      confineTo(job.root);
      return compareTrees(job.layers, job.without);
  }
}

async function unpack(job: UnpackJob): Promise<unknown> {
  const head = Buffer.alloc(MAGIC_BYTES);
  const headBytes = readSync(STDIN, head, 0, MAGIC_BYTES, 0);
  const source = createReadStream("", { fd: STDIN, start: 0, highWaterMark: INPUT_CHUNK_BYTES });
  const chunks = decompress(source, detectCompression(head.subarray(0, headBytes)), job.zstdProgram);
  // The caller has made it, who may be another user of the container, or none.
  chownSync(job.directory, 0, 0);
  // Before the first byte is parsed.
  confineTo(job.directory);

  const account = new LayerAccount(job.limits);
  const writer = new LayerWriter({ root: "", bottom: job.bottom, owners: job.owners, account });
  const algorithm = job.diffId === null ? "sha256" : digestAlgorithm(job.diffId);
  const hash = createHash(algorithm);
  let size = 0;
  const checked = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.byteLength;
      account.checkRatio(source.bytesRead, size);
      yield chunk;
    }
  };
  await readTar(checked(), (entry) => writer.begin(entry));
  const diffId = makeDigest(algorithm, hash.digest("hex"));
  if (job.diffId !== null && diffId !== job.diffId) {
    throw new RuntimeError("DIGEST_MISMATCH", `The unpacked layer has digest "${diffId}", expected "${job.diffId}"`, {
      details: { expected: job.diffId, actual: diffId },
    });
  }
  return { ...writer.finish(), diffId };
}

function failureOf(error: unknown): WorkerFailure {
  if (error instanceof RuntimeError) {
    const { code, message, hint, details } = error;
    return { code, message, hint: hint ?? null, details };
  }
  const { message, code, syscall } = error as NodeJS.ErrnoException;
  // The file system's own refusals: names too long, a full disk, a device that fails.
  const invalid = code === "ENAMETOOLONG" || code === "ELOOP";
  return {
    code: invalid ? "INVALID_LAYER" : "IO",
    message: `Image files cannot be handled: ${message}`,
    hint: null,
    details: { errno: code ?? null, syscall: syscall ?? null },
  };
}

function writeAll(descriptor: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest));
}

async function main(): Promise<void> {
  try {
    const report = await run(JSON.parse(process.argv[2] ?? "") as WorkerJob);
    if (report !== null) writeAll(STDOUT, `${JSON.stringify(report)}\n`);
  } catch (error) {
    writeAll(STDERR, `\n${JSON.stringify(failureOf(error))}\n`);
    process.exitCode = 1;
  }
  // A decoder that still waits for input must not keep the process.
  process.exit();
}

void main();
