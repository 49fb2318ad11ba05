/** The caller's side of the image worker: start it in the user namespace, feed it, read its answer (`jobs.ts`). */

import type { ChildProcess } from "node:child_process";
import { PassThrough, Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RuntimeError } from "../../errors.ts";
import type { ArchiveJob, CompareJob, ExtractJob, TreeChange, WorkerFailure, WorkerJob } from "./jobs.ts";

/**
 * Runs Node programs as root of the user namespace that the store's files belong to. The engine provides it; the ids of
 * the namespace are those of the containers that will use the layers.
 */
export interface WorkerNamespace {
  /** Start the worker with these arguments; stderr is a pipe. */
  spawn(args: readonly string[], surroundings: WorkerSurroundings): ChildProcess;
  /** Start the removal of trees and files there; what is not there is fine. It needs no Node. stderr is a pipe. */
  spawnRemoval(paths: readonly string[]): ChildProcess;
  /** Names the id mapping: layers written with one cannot be used with another. A file name. */
  readonly idsKey: string;
  /** `record` where only one id is mapped. */
  readonly owners: "apply" | "record";
  /** Path of zstd(1), or null. */
  readonly zstdProgram: string | null;
}

/** What a worker sees and holds beside its job. Numbers are descriptors. */
export interface WorkerSurroundings {
  readonly stdin: number | "ignore" | "pipe";
  readonly stdout: number | "pipe";
  /** Mounts of its own in an otherwise empty working directory; absent: the caller's view of the host. */
  readonly view?: WorkerView;
}

export type WorkerView =
  /** Directories of the host under names of their own, read-only. */
  | { readonly kind: "trees"; readonly trees: readonly { readonly path: string; readonly name: string }[] }
  /** What a container of these files would see, writable, as `root`. */
  | {
      readonly kind: "overlay";
      readonly path: string;
      readonly layers: readonly string[] | null;
      /** Has the `upper` that takes the writes; null: `path` itself does. */
      readonly layer: string | null;
    };

/** Nothing beside the job, and the caller's view of the host. */
export const FROM_HOST: WorkerSurroundings = { stdin: "ignore", stdout: "pipe" };
const MAX_REPORT_BYTES = 256 * 1024 * 1024;
/** Paths that surely fit into the arguments of a program (execve(2)). */
const MAX_REMOVALS = 500;
const MAX_STDERR_BYTES = 256 * 1024;

/** Remove trees and files as root of the namespace; what is not there is fine. */
export async function runRemove(namespace: WorkerNamespace, paths: readonly string[]): Promise<void> {
  for (let start = 0; start < paths.length; start += MAX_REMOVALS) {
    const worker = watchWorker(namespace.spawnRemoval(paths.slice(start, start + MAX_REMOVALS)), removalError);
    worker.output.resume();
    await worker.success;
  }
}

export async function runCompare(
  namespace: WorkerNamespace,
  job: CompareJob,
  view: WorkerView,
): Promise<readonly TreeChange[]> {
  return (await runForReport(namespace, job, { ...FROM_HOST, view })) as readonly TreeChange[];
}

/** The archive as it is written; it fails at its end when the worker has. `source`: a directory's descriptor, or a view. */
export async function* runArchive(
  namespace: WorkerNamespace,
  job: ArchiveJob,
  source: number | WorkerView | null,
): AsyncGenerator<Uint8Array> {
  const worker = startWorker(namespace, job, {
    ...FROM_HOST,
    ...(typeof source === "number" ? { stdin: source } : source === null ? {} : { view: source }),
  });
  try {
    for await (const chunk of worker.output) yield chunk as Uint8Array;
    await worker.success;
  } finally {
    worker.stop();
  }
}

/** Feed an archive to the worker. `destination`: a directory's descriptor, or a view. */
export async function runExtract(
  namespace: WorkerNamespace,
  job: ExtractJob,
  archive: AsyncIterable<Uint8Array>,
  destination: number | WorkerView | null,
): Promise<void> {
  const worker = startWorker(namespace, job, {
    stdin: "pipe",
    stdout: typeof destination === "number" ? destination : "pipe",
    ...(typeof destination === "number" || destination === null ? {} : { view: destination }),
  });
  try {
    await pipeline(archive, worker.input);
  } catch (error) {
    // A worker that has failed reads no more, and says why.
    await worker.success;
    throw error;
  } finally {
    worker.output.resume();
  }
  await worker.success;
}

async function runForReport(
  namespace: WorkerNamespace,
  job: WorkerJob,
  surroundings: WorkerSurroundings,
): Promise<unknown> {
  const worker = startWorker(namespace, job, surroundings);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of worker.output) {
    size += (chunk as Uint8Array).byteLength;
    if (size > MAX_REPORT_BYTES) worker.stop();
    else chunks.push(chunk as Uint8Array);
  }
  await worker.success;
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

export interface RunningWorker {
  /** Of no use unless stdin is a pipe, and likewise `output`. */
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when the worker has ended. */
  readonly success: Promise<void>;
  stop(): void;
}

/** Start a worker on its job. */
export function startWorker(
  namespace: WorkerNamespace,
  job: WorkerJob,
  surroundings: WorkerSurroundings,
): RunningWorker {
  return watchWorker(namespace.spawn([JSON.stringify(job)], surroundings), workerError);
}

/** `failure`: what the child's stderr and its ending mean. */
function watchWorker(child: ChildProcess, failure: typeof workerError): RunningWorker {
  const { stderr } = child;
  if (stderr === null) throw new Error("the worker's stderr is a pipe");
  let message = "";
  stderr.on("data", (chunk: Buffer) => {
    message = (message + chunk.toString("utf8")).slice(-MAX_STDERR_BYTES);
  });
  const success = new Promise<void>((resolve, reject) => {
    child.on("error", (cause) => {
      reject(new RuntimeError("LAUNCH_FAILED", "Cannot start the image worker", { cause }));
    });
    child.on("close", (status, signal) => {
      if (status === 0) resolve();
      else reject(failure(message, status === null ? `signal ${signal}` : `status ${status}`));
    });
  });
  // It may settle while the output is still being read.
  success.catch(() => {});
  const input = child.stdin ?? new PassThrough();
  const output = child.stdout ?? Readable.from([]);
  return { input, output, success, stop: () => void child.kill("SIGKILL") };
}

/** What a worker has thrown. */
export function failureError({ code, message, hint, details }: WorkerFailure): RuntimeError {
  return new RuntimeError(code, message, { details, ...(hint === null ? {} : { hint }) });
}

function workerError(stderr: string, ending: string): RuntimeError {
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  try {
    return failureError(JSON.parse(last) as WorkerFailure);
  } catch {
    return new RuntimeError("LAUNCH_FAILED", `The image worker ended with ${ending}: ${stderr.trim()}`);
  }
}

function removalError(stderr: string, ending: string): RuntimeError {
  if (ending !== "status 1") return workerError(stderr, ending);
  return new RuntimeError("IO", `Cannot remove files of the image store: ${stderr.trim()}`);
}
