/**
 * The worker's threads: as many as there are processors, each unpacking one layer after the other, since what a new thread
 * compiles anew costs as much as a small layer.
 */

import { availableParallelism } from "node:os";
import { Worker, parentPort } from "node:worker_threads";
import type { Outcome, UnpackJob, UnpackReport, WorkerFailure } from "./jobs.ts";
import { unpackLayer } from "./unpack-layer.ts";

/** V8's young generation, MB: what lives longer than a moment are large buffers, which lie outside of it. */
const LIMITS = { maxYoungGenerationSizeMb: 16 };

interface Queued {
  readonly job: UnpackJob;
  readonly resolve: (outcome: Outcome<UnpackReport>) => void;
  readonly reject: (error: unknown) => void;
}

export class UnpackThreads {
  readonly #idle: Worker[] = [];
  readonly #queue: Queued[] = [];
  #count = 0;

  async unpack(job: UnpackJob): Promise<Outcome<UnpackReport>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    const thread = this.#idle.pop() ?? (this.#count < availableParallelism() ? this.#start() : undefined);
    if (thread === undefined) return;
    const queued = this.#queue.shift();
    if (queued === undefined) {
      this.#idle.push(thread);
      return;
    }
    const { job, resolve, reject } = queued;
    const done = (outcome: Outcome<UnpackReport>): void => {
      thread.off("error", reject);
      // One that met with an error is given up: whatever state it is in, no other layer sees it.
      if (outcome.kind === "done") this.#idle.push(thread);
      else this.#end(thread);
      resolve(outcome);
      this.#next();
    };
    thread.once("message", done);
    thread.once("error", reject);
    thread.postMessage(job);
  }

  #start(): Worker {
    this.#count++;
    return new Worker(import.meta.filename, { resourceLimits: LIMITS });
  }

  #end(thread: Worker): void {
    this.#count--;
    void thread.terminate();
  }
}

/** A thread's own part: a job comes as a message, its outcome goes as one. */
export function serveThread(failureOf: (error: unknown) => WorkerFailure): void {
  const port = parentPort;
  if (port === null) throw new Error("the main thread has no port");
  const unpack = async (job: UnpackJob): Promise<Outcome<UnpackReport>> => {
    try {
      return { kind: "done", report: await unpackLayer(job) };
    } catch (error) {
      return { kind: "failed", failure: failureOf(error) };
    }
  };
  port.on("message", async (job: UnpackJob) => {
    port.postMessage(await unpack(job));
  });
}
