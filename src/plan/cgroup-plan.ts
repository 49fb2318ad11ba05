/**
 * The seam between the cgroup managers and the launch plan: what the monitor has to do so that the container runs in its
 * cgroup. A manager (`src/cgroup/`) makes it, `planLaunch` weaves it in, nobody else looks inside.
 *
 * ```
 *   spawnJanitor                      so that a killed monitor leaves no cgroup behind
 *   …prepare                          make the directories, write the limits
 *   clone {cgroup: cloneInto}
 *   …enter                            move the container where it was not born (v1, kernels before 5.7)
 *   release, supervise
 *   …examine                          read the counters that only the cgroup knows (out of memory)
 *   clean-up: …remove                 after the container's end, before the state directory goes
 * ```
 * The container half then unshares its cgroup namespace, whose root is the cgroup it sits in.
 */

import type { MonitorOperation } from "./operations.ts";

export interface CgroupPlan {
  /** Before `clone`, after `spawnJanitor`. */
  readonly prepare: readonly MonitorOperation[];
  /** `clone.cgroup`: the cgroup v2 directory to be born in, or "". */
  readonly cloneInto: string;
  /** Between `clone` and `release`. */
  readonly enter: readonly MonitorOperation[];
  /** After `supervise`. */
  readonly examine: readonly MonitorOperation[];
  /** In the clean-up list. */
  readonly remove: readonly MonitorOperation[];
}

/** A container that stays in the caller's cgroup. */
export const NO_CGROUP: CgroupPlan = { prepare: [], cloneInto: "", enter: [], examine: [], remove: [] };

/** Where a container's cgroup is, as its state file keeps it. */
export type CgroupRecord =
  | {
      readonly version: 2;
      /** Absolute path of the leaf. */
      readonly directory: string;
      /** The transient scope that the leaf belongs to, and on which bus its manager listens. */
      readonly unit?: { readonly name: string; readonly bus: string };
    }
  | {
      readonly version: 1;
      /** Controller to absolute path of its leaf. */
      readonly directories: Readonly<Record<string, string>>;
    };
