/** Entry point of the image worker (`jobs.ts`). */

import { createReadStream, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { isMainThread } from "node:worker_threads";
import { RuntimeError } from "../../errors.ts";
import { confineTo } from "../../sys/confinement.ts";
import { inheritDirectories } from "../layer/inherit-directories.ts";
import { writeTreeArchive } from "../layer/tree-archive.ts";
import { compareTrees } from "../layer/tree-compare.ts";
import { copyTree } from "../layer/tree-copy.ts";
import { extractTree } from "../layer/tree-extract.ts";
import { fileError } from "../storage/file-error.ts";
import type { InheritJob, LayerAnswer, LayerRequest, UnpackJob, WorkerFailure, WorkerJob } from "./jobs.ts";
import { UnpackThreads, serveThread } from "./unpack-threads.ts";

const INPUT_CHUNK_BYTES = 256 * 1024;
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

async function run(job: WorkerJob): Promise<unknown> {
  // Modes come from archives, all bits of them.
  process.umask(0);
  switch (job.op) {
    case "serve":
      await serve();
      return null;
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

/** Until stdin ends and all jobs are answered. */
async function serve(): Promise<void> {
  const threads = new UnpackThreads();
  const answers: Promise<void>[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const { number, job } = JSON.parse(line) as LayerRequest;
    answers.push(answer(threads, number, job));
  }
  await Promise.all(answers);
}

async function answer(threads: UnpackThreads, number: number, job: UnpackJob | InheritJob): Promise<void> {
  const outcome = job.op === "unpack" ? await threads.unpack(job) : inherit(job);
  writeAll(STDOUT, `${JSON.stringify({ number, outcome } satisfies LayerAnswer)}\n`);
}

function inherit({ directory, lower, implied }: InheritJob): LayerAnswer["outcome"] {
  try {
    return { kind: "done", report: inheritDirectories(directory, lower, implied) };
  } catch (error) {
    return { kind: "failed", failure: failureOf(error) };
  }
}

function failureOf(thrown: unknown): WorkerFailure {
  const error = fileError(thrown, "Cannot handle the image's files");
  if (!(error instanceof RuntimeError)) {
    const { message } = error as Error;
    return { code: "IO", message: `Cannot handle the image's files: ${message}`, hint: null, details: {} };
  }
  const { code, message, hint, details } = error;
  // Names that the file system refuses are the archive's fault.
  const invalid = error !== thrown && ["ENAMETOOLONG", "ELOOP"].includes(String(details["errno"]));
  return { code: invalid ? "INVALID_LAYER" : code, message, hint: hint ?? null, details };
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

if (isMainThread) void main();
else serveThread(failureOf);
