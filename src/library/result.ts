/** What a container leaves behind, for those that ended well and those that did not: the same fields on result and error. */

import { type ErrorCode, RuntimeError, type RuntimeErrorOptions } from "../errors.ts";

export interface RunResult<Output = string | Uint8Array | null> {
  /** The container's id; "" when the options never became one. */
  readonly id: string;
  /** What `pycri run` exits with: the command's own status, 128 + n for signal n, 125 to 127 when pycri failed. */
  readonly exitStatus: number;
  /** The command's own exit status; null when a signal ended it, or when it never ran. */
  readonly exitCode: number | null;
  /** SIGKILL, SIGTERM …; null when the command exited, or never ran. */
  readonly signal: string | null;
  /** What the command wrote, where that was "pipe" and `run` collected it. */
  readonly stdout: Output;
  readonly stderr: Output;
  /** Processes that the kernel killed because memory ran out. */
  readonly oomKills: number;
  /** What pycri had to say about the run: limits left out, slower ways taken. */
  readonly warnings: readonly string[];
  /** From the call to the end, in milliseconds. */
  readonly durationMs: number;
}

/** A RuntimeError with everything that is known of the run. */
export class RunError extends RuntimeError implements RunResult {
  override readonly name: string = "RunError";
  readonly id: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string | Uint8Array | null;
  readonly stderr: string | Uint8Array | null;
  readonly oomKills: number;
  readonly warnings: readonly string[];
  readonly durationMs: number;
  readonly #status: number;

  constructor(code: ErrorCode, message: string, result: RunResult, options: RuntimeErrorOptions = {}) {
    super(code, message, options);
    this.id = result.id;
    this.#status = result.exitStatus;
    this.exitCode = result.exitCode;
    this.signal = result.signal;
    this.stdout = result.stdout;
    this.stderr = result.stderr;
    this.oomKills = result.oomKills;
    this.warnings = result.warnings;
    this.durationMs = result.durationMs;
  }

  override get exitStatus(): number {
    return this.#status;
  }
}

/** The fields of a run that never came to an end of its own. */
export function resultOfFailure(exitStatus: number, id: string, durationMs: number): RunResult<null> {
  return {
    id,
    exitStatus,
    exitCode: null,
    signal: null,
    stdout: null,
    stderr: null,
    oomKills: 0,
    warnings: [],
    durationMs,
  };
}
