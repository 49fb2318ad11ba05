/** `run` and `start`: a container from options, as a promise of its result or as a running one with its streams. */

import type { Readable, Writable } from "node:stream";
import { type ErrorCode, RuntimeError } from "../errors.ts";
import type { PullProgress } from "../engine/images/open-run-image.ts";
import { prepareContainer } from "../engine/prepare-container.ts";
import { callerContext } from "../engine/request/caller-context.ts";
import { type ContainerEnd, exitStatusOf, type RunningContainer, runContainer } from "../engine/run-container.ts";
import type { HelperStdio } from "../executor/spawn-helper.ts";
import { readImageSettings } from "../host/image-settings.ts";
import { formatReference } from "../oci/reference.ts";
import { collect } from "./collect.ts";
import {
  type InputOption,
  type NormalOptions,
  normalizeOptions,
  type OutputOption,
  type RunOptions,
  type StartOptions,
} from "./options.ts";
import { resultOfFailure, RunError, type RunResult } from "./result.ts";

/** A container whose command runs. */
export interface Container extends AsyncDisposable {
  readonly id: string;
  /** Of the container's first process, in this process's PID namespace. */
  readonly pid: number;
  /** Streams for what is "pipe", else null. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Signal the command; SIGTERM when absent. @returns false when it has ended. */
  kill(signal?: NodeJS.Signals): boolean;
  /** Resolves when nothing of the container is left; rejects with a RunError. */
  readonly result: Promise<RunResult<null>>;
}

type Text<Options> = Options extends { readonly encoding: "bytes" }
  ? Uint8Array
  : Options extends { readonly encoding: "utf8" | "bytes" }
    ? string | Uint8Array
    : string;

type Captured<Options, Name extends "stdout" | "stderr"> = Name extends keyof Options
  ? Options[Name] extends "pipe"
    ? Text<Options>
    : undefined extends Options[Name]
      ? Text<Options> | null
      : null
  : Text<Options>;

/** Keys that are no options; an inferred type would let them pass. */
type NothingElse<Options> = { readonly [Key in Exclude<keyof Options, keyof RunOptions>]: never };

/** The result's text is a string, or bytes with `encoding: "bytes"`, or null for a stream that is no pipe. */
export type ResultOf<Options extends RunOptions> = Omit<RunResult, "stdout" | "stderr"> & {
  readonly stdout: Captured<Options, "stdout">;
  readonly stderr: Captured<Options, "stderr">;
};

/**
 * Run a command in a new container and await its end. What it writes to stdout and stderr is in the result, unless these
 * go elsewhere.
 * @throws RunError when the container could not be made, ran out of time or output, or was aborted. A command that fails is
 * no error, unless `check` says so.
 */
export async function run<const Options extends RunOptions>(
  options: Options & NothingElse<Options>,
): Promise<ResultOf<Options>> {
  const begin = performance.now();
  const launched = await launch(options, begin);
  const { normal, container } = launched;
  let fault: Fault | null = null;
  const exceed = (name: string) => (): void => {
    fault ??= {
      code: "OUTPUT_LIMIT",
      message: `The command wrote more than ${normal.maxBuffer} bytes to ${name}`,
      hint: "raise maxBuffer, or take the stream with start()",
    };
    container.kill("SIGKILL");
  };
  const stdout = collect(normal.stdout === "pipe" ? container.stdout : null, normal.maxBuffer, exceed("stdout"));
  const stderr = collect(normal.stderr === "pipe" ? container.stderr : null, normal.maxBuffer, exceed("stderr"));
  const output = async (): Promise<Pick<RunResult, "stdout" | "stderr">> => {
    const [out, err] = await Promise.all([stdout?.bytes ?? null, stderr?.bytes ?? null]);
    const decode = (bytes: Uint8Array | null): string | Uint8Array | null =>
      bytes === null || normal.encoding === "bytes" ? bytes : new TextDecoder().decode(bytes);
    return { stdout: decode(out), stderr: decode(err) };
  };
  return (await settle(launched, begin, output, () => fault)) as unknown as ResultOf<Options>;
}

/**
 * Start a command in a new container. Resolves when it runs.
 * @throws RunError when the container could not be made.
 */
export async function start(options: StartOptions): Promise<Container> {
  const begin = performance.now();
  const launched = await launch(options, begin);
  const { container } = launched;
  const result = settle(
    launched,
    begin,
    async () => ({ stdout: null, stderr: null }),
    () => null,
  ) as Promise<RunResult<null>>;
  // Whoever is interested awaits it; a container nobody waits for shall not end the process.
  result.catch(() => {});
  let pid: number;
  try {
    pid = await container.started;
  } catch {
    await result;
    throw new Error("a container that has ended well was started");
  }
  return {
    id: launched.id,
    pid,
    stdin: container.stdin,
    stdout: container.stdout,
    stderr: container.stderr,
    kill: (signal = "SIGTERM") => container.kill(signal),
    result,
    async [Symbol.asyncDispose]() {
      container.kill("SIGKILL");
      await result.catch(() => {});
    },
  };
}

interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

interface Launched {
  readonly id: string;
  readonly normal: NormalOptions;
  readonly container: RunningContainer;
  /** Why this process has ended the container, if it has. */
  readonly fault: () => Fault | null;
  /** Stop watching time and signal. */
  readonly release: () => void;
}

/** Up to a child process. */
async function launch(options: RunOptions, begin: number): Promise<Launched> {
  let wanted: AbortSignal | null = null;
  try {
    const normal = normalizeOptions(options);
    wanted = normal.signal;
    if (normal.signal?.aborted === true) throw aborted(normal.signal);
    const warnings: string[] = [];
    const prepared = await prepareContainer(normal.container, normal.image, {
      environment: process.env,
      caller: callerContext(process.env, normal.container.terminal === true, (message) => warnings.push(message)),
      imageSettings: (home) => readImageSettings(process.env, home),
      dryRun: false,
      endsWithCaller: true,
      wholeSpec: false,
      pullProgress: pullProgressOf(normal),
    });
    const container = runContainer(
      { ...prepared, warnings: [...warnings, ...prepared.warnings] },
      [stdioOf(normal.stdin), stdioOf(normal.stdout), stdioOf(normal.stderr)],
      process.env,
    );
    container.started.catch(() => {});
    container.ended.catch(() => {});
    connect(container, normal);
    return { id: prepared.config.id, normal, container, ...watch(container, normal) };
  } catch (error) {
    throw asRunError(wanted?.aborted === true ? aborted(wanted) : error, "", performance.now() - begin);
  }
}

function pullProgressOf({ onPull, signal }: NormalOptions): PullProgress {
  return {
    onStart: (reference) => onPull?.({ kind: "pulling", image: formatReference(reference) }),
    onLayer: (event) => onPull?.(event),
    finish: () => {},
    ...(signal === null ? {} : { signal }),
  };
}

/** From the container's end to the result or the error. */
async function settle(
  { id, normal, container, fault, release }: Launched,
  begin: number,
  output: () => Promise<Pick<RunResult, "stdout" | "stderr">>,
  ownFault: () => Fault | null,
): Promise<RunResult> {
  let end: ContainerEnd;
  try {
    end = await container.ended;
  } catch (error) {
    // Nothing was written, and nobody may come to read.
    container.stdout?.destroy();
    container.stderr?.destroy();
    await output();
    throw asRunError(error, id, performance.now() - begin);
  } finally {
    release();
    container.stdin?.destroy();
  }
  const result: RunResult = {
    id,
    exitStatus: exitStatusOf(end),
    exitCode: end.exitCode,
    signal: end.signal,
    ...(await output()),
    oomKills: end.oomKills,
    warnings: end.warnings,
    durationMs: performance.now() - begin,
  };
  const found = ownFault() ?? fault();
  if (found !== null) {
    throw new RunError(found.code, found.message, result, {
      ...(found.hint === undefined ? {} : { hint: found.hint }),
      ...(found.cause === undefined ? {} : { cause: found.cause }),
    });
  }
  if (normal.check && result.exitStatus !== 0) {
    const how = end.signal === null ? `with status ${result.exitStatus}` : `by ${end.signal}`;
    throw new RunError("COMMAND_FAILED", `The command ended ${how}`, result);
  }
  return result;
}

/** Ends the container when its time is over or the caller wants it to. */
function watch(
  container: RunningContainer,
  { signal, timeout, killSignal, killAfter }: NormalOptions,
): Pick<Launched, "fault" | "release"> {
  let fault: Fault | null = null;
  let force: NodeJS.Timeout | undefined;
  const end = (why: Fault): void => {
    if (fault !== null) return;
    fault = why;
    container.kill(killSignal);
    force = setTimeout(() => container.kill("SIGKILL"), killAfter);
  };
  const clock =
    timeout === null
      ? undefined
      : setTimeout(() => end({ code: "TIMED_OUT", message: `The container ran for more than ${timeout} ms` }), timeout);
  const onAbort = (): void => {
    if (signal !== null) end({ code: "ABORTED", message: "The container was aborted", cause: signal.reason });
  };
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  return {
    fault: () => fault,
    release: () => {
      clearTimeout(clock);
      clearTimeout(force);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

function aborted(signal: AbortSignal): RuntimeError {
  return new RuntimeError("ABORTED", "The container was aborted", { cause: signal.reason });
}

/** What the child gets: a pipe where this process copies. */
function stdioOf(option: InputOption | OutputOption): HelperStdio {
  if (typeof option !== "object") return option;
  const { fd } = option as { readonly fd?: unknown };
  return typeof fd === "number" && fd >= 0 ? fd : "pipe";
}

function connect(container: RunningContainer, { stdin, stdout, stderr, input }: NormalOptions): void {
  // The command may end without reading all of its input.
  container.stdin?.on("error", () => {});
  if (input !== null) container.stdin?.end(input);
  else if (typeof stdin === "object" && container.stdin !== null) stdin.pipe(container.stdin);
  // The caller's own stream is the caller's to end, as process.stdout is.
  if (typeof stdout === "object") container.stdout?.pipe(stdout, { end: false });
  if (typeof stderr === "object") container.stderr?.pipe(stderr, { end: false });
}

function asRunError(error: unknown, id: string, durationMs: number): unknown {
  if (error instanceof RunError || !(error instanceof RuntimeError)) return error;
  const { code, message, hint, details, cause } = error;
  return new RunError(code, message, resultOfFailure(error.exitStatus, id, durationMs), {
    ...(hint === undefined ? {} : { hint }),
    details,
    cause,
  });
}
