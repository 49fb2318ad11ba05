/** One worker for all layers of an image: started with the first of them, ended with the last (`jobs.ts`). */

import { createInterface } from "node:readline";
import type { InheritedDirectory } from "../layer/inherit-directories.ts";
import type { InheritJob, LayerAnswer, LayerRequest, UnpackJob, UnpackReport } from "./jobs.ts";
import { FROM_HOST, type RunningWorker, type WorkerNamespace, failureError, startWorker } from "./run-worker.ts";

interface Waiting {
  readonly resolve: (report: never) => void;
  readonly reject: (error: unknown) => void;
}

export class LayerUnpacker implements AsyncDisposable {
  readonly #namespace: WorkerNamespace;
  readonly #waiting = new Map<number, Waiting>();
  #worker: RunningWorker | null = null;
  #count = 0;

  constructor(namespace: WorkerNamespace) {
    this.#namespace = namespace;
  }

  /** Several may be under way at once. */
  async unpack(job: UnpackJob): Promise<UnpackReport> {
    return this.#ask(job);
  }

  async inherit(job: InheritJob): Promise<readonly InheritedDirectory[]> {
    return this.#ask(job);
  }

  async #ask<Report>(job: LayerRequest["job"]): Promise<Report> {
    this.#worker ??= this.#start();
    const { input } = this.#worker;
    const number = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      input.write(`${JSON.stringify({ number, job } satisfies LayerRequest)}\n`);
    });
  }

  #start(): RunningWorker {
    const worker = startWorker(this.#namespace, { op: "serve" }, { ...FROM_HOST, stdin: "pipe" });
    // Its end says more than a broken pipe.
    worker.input.on("error", () => {});
    createInterface({ input: worker.output }).on("line", (line) => {
      const { number, outcome } = JSON.parse(line) as LayerAnswer;
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (outcome.kind === "done") waiting?.resolve(outcome.report as never);
      else waiting?.reject(failureError(outcome.failure));
    });
    worker.success.then(
      () => this.#abandon(new Error("the image worker ended early")),
      (error: unknown) => this.#abandon(error),
    );
    return worker;
  }

  #abandon(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** End the worker. What is still under way fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    if (this.#waiting.size > 0) worker.stop();
    worker.input.end();
    // Whatever it ended with, the jobs have their answers.
    await worker.success.catch(() => {});
  }
}
