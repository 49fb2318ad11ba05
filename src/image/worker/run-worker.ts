/** The caller's side of the image worker: start it in the user namespace, feed it, read its answer (`jobs.ts`). */

import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { RuntimeError } from "../../errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { LayerReport } from "../layer/layer-writer.ts";
import type { ArchiveJob, CompareJob, RemoveJob, TreeChange, UnpackJob, WorkerFailure, WorkerJob } from "./jobs.ts";

/**
 * Runs Node programs as root of the user namespace that the store's files belong to. The engine provides it; the ids of
 * the namespace are those of the containers that will use the layers.
 */
export interface WorkerNamespace {
  /** Start the worker with these arguments; stdout and stderr are pipes. `stdin`: a descriptor, or nothing. */
  spawn(args: readonly string[], stdin: number | "ignore"): ChildProcess;
  /** Names the id mapping: layers written with one cannot be used with another. A file name. */
  readonly idsKey: string;
  /** `record` where only one id is mapped. */
  readonly owners: "apply" | "record";
  /** Path of zstd(1), or null. */
  readonly zstdProgram: string | null;
}

const MAX_REPORT_BYTES = 256 * 1024 * 1024;
const MAX_STDERR_BYTES = 256 * 1024;

export interface UnpackReport extends LayerReport {
  readonly diffId: Digest;
}

/** Unpack the blob open as `blob`. */
export async function runUnpack(namespace: WorkerNamespace, job: UnpackJob, blob: number): Promise<UnpackReport> {
  return (await runForReport(namespace, job, blob)) as UnpackReport;
}

export async function runRemove(namespace: WorkerNamespace, paths: readonly string[]): Promise<void> {
  const job: RemoveJob = { op: "remove", paths };
  if (paths.length > 0) await runForReport(namespace, job, "ignore");
}

export async function runCompare(namespace: WorkerNamespace, job: CompareJob): Promise<readonly TreeChange[]> {
  return (await runForReport(namespace, job, "ignore")) as readonly TreeChange[];
}

/** The archive as it is written; it fails at its end when the worker has. */
export async function* runArchive(namespace: WorkerNamespace, job: ArchiveJob): AsyncGenerator<Uint8Array> {
  const worker = start(namespace, job, "ignore");
  try {
    for await (const chunk of worker.output) yield chunk as Uint8Array;
    await worker.success;
  } finally {
    worker.stop();
  }
}

async function runForReport(namespace: WorkerNamespace, job: WorkerJob, stdin: number | "ignore"): Promise<unknown> {
  const worker = start(namespace, job, stdin);
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

interface RunningWorker {
  readonly output: Readable;
  /** Settles when the worker has ended. */
  readonly success: Promise<void>;
  stop(): void;
}

function start(namespace: WorkerNamespace, job: WorkerJob, stdin: number | "ignore"): RunningWorker {
  const child = namespace.spawn([JSON.stringify(job)], stdin);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the worker's stdout and stderr are pipes");
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
      else reject(workerError(message, status === null ? `signal ${signal}` : `status ${status}`));
    });
  });
  // It may settle while the output is still being read.
  success.catch(() => {});
  return { output: stdout, success, stop: () => void child.kill("SIGKILL") };
}

function workerError(stderr: string, ending: string): RuntimeError {
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  try {
    const { code, message, hint, details } = JSON.parse(last) as WorkerFailure;
    return new RuntimeError(code, message, { details, ...(hint === null ? {} : { hint }) });
  } catch {
    return new RuntimeError("LAUNCH_FAILED", `The image worker ended with ${ending}: ${stderr.trim()}`);
  }
}
