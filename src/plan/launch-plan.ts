/**
 * What the native helper is told, and what it answers. A plan is pure data: made by `plan-launch.ts`, printed by
 * `pycri run --dry-run`, turned into bytes by `encode.ts`.
 */

import type { ContainerOperation, MonitorOperation } from "./operations.ts";

export interface LaunchPlan {
  /** Run by the monitor, in order; contains `clone`, then `release`, then `supervise`. */
  readonly monitor: readonly MonitorOperation[];
  /** Run by the container half after `release`; the last one is `execute`. */
  readonly container: readonly ContainerOperation[];
  /** Run by the monitor when it ends, or by the janitor in its stead. Every failure is reported, none stops the list. */
  readonly cleanup: readonly MonitorOperation[];
  /**
   * The program the monitor replaces itself with (execve(2)) when the launch failed, so that messages are composed in
   * TypeScript: argv whose last two elements the helper appends are the plan's and the events' descriptor numbers.
   * Empty: write events and exit 125 (the library reads them).
   */
  readonly reporter: readonly string[];
}

/** Which list of a plan an operation index counts in. */
export type PlanSection = "monitor" | "container" | "cleanup";

/**
 * ```
 *   caller                   monitor                         container half
 *     | memfd(plan), events     |                                  |
 *     |------- execve --------->|                                  |
 *     |                         | monitor list … clone ----------->| waits
 *     |                         | maps, cgroup, state …            |
 *     |                         | release ------------------------>| container list …
 *     |                         |<------- requestProgram ----------|
 *     |                         |-------- its outcome ------------>|
 *     |                         |<------- failed / EOF on exec ----|
 *     |<-- started {pid} -------|                                  |
 *     |<-- exited {status} -----| supervise, clean-up              |
 * ```
 * Events are written to the events descriptor as they happen; layout in `encode.ts` (`decodeEvents`).
 */
export type LaunchEvent =
  /** The command runs. `pid`: of the container's first process, in the caller's PID namespace. */
  | { readonly event: "started"; readonly pid: number }
  /** The container ended: wait(2) status split into exit code or signal number. */
  | { readonly event: "exited"; readonly exitCode: number | null; readonly signal: number | null }
  /** A `reportCounter` found its counter above zero. `index`: of that operation in the monitor's list. */
  | { readonly event: "counter"; readonly index: number; readonly value: bigint }
  /** An `attempt` fell back to its alternative. */
  | ({ readonly event: "fallback" } & OperationFailure)
  /** The launch failed; nothing runs any more. */
  | ({ readonly event: "failed" } & OperationFailure)
  /** A clean-up operation failed. */
  | ({ readonly event: "cleanupFailed" } & OperationFailure);

export interface OperationFailure {
  readonly section: PlanSection;
  /** Index of the operation in its section; -1 when the plan itself could not be decoded. */
  readonly index: number;
  /** Positive errno. */
  readonly errno: number;
  /** The path the failure is about, or a tool's stderr, or the kernel's mount message; "" when there is none. */
  readonly detail: string;
}
