/** One worker for all layers of an image: started with the first of them, ended with the last (`jobs.ts`). */

import { createInterface } from "node:readline";
import type { UnpackAnswer, UnpackJob, UnpackReport, UnpackRequest } from "./jobs.ts";
import { FROM_HOST, type RunningWorker, type WorkerNamespace, failureError, startWorker } from "./run-worker.ts";

interface Waiting {
  readonly resolve: (report: UnpackReport) => void;
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
    this.#worker ??= this.#start();
    const { input } = this.#worker;
    const number = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      input.write(`${JSON.stringify({ number, job } satisfies UnpackRequest)}\n`);
    });
  }

  #start(): RunningWorker {
    const worker = startWorker(this.#namespace, { op: "serve" }, { ...FROM_HOST, stdin: "pipe" });
    // Its end says more than a broken pipe.
    worker.input.on("error", () => {});
    createInterface({ input: worker.output }).on("line", (line) => {
      const { number, outcome } = JSON.parse(line) as UnpackAnswer;
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (outcome.kind === "done") waiting?.resolve(outcome.report);
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
