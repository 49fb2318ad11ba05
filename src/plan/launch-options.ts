/**
 * What a launch needs beside the OCI Spec: choices of `pycri run` that the Spec has no words for, and what the engine
 * adds around the container (its record, its cgroup).
 */

import type { PrivateDirectory } from "./host-root.ts";
import type { MonitorOperation } from "./operations.ts";
import type { CgroupPolicy, RootWrites } from "./run-request.ts";

/** How the root filesystem is made of `root.path`. */
export type RootMode =
  | {
      readonly kind: "directory";
      readonly writes: RootWrites;
      /** Directories below `root.path` that an overlay stacks, top first; absent: `root.path` itself. */
      readonly layers?: readonly string[];
      /** See `RootSource`. */
      readonly copier?: readonly string[];
    }
  /** `root.path` is the host's "/". Each of the `hidden` directories that exists gets an empty tmpfs of its own. */
  | { readonly kind: "host"; readonly hidden: readonly PrivateDirectory[] };

export interface LaunchOptions {
  /** The container's id. */
  readonly id: string;
  readonly root: RootMode;
  /** Made in the root, where they are missing. */
  readonly directories: readonly string[];
  /** Our own PID 1. */
  readonly init: boolean;
  /** Keep stdin; otherwise it is /dev/null. */
  readonly interactive: boolean;
  readonly forwardSignals: boolean;
  /** Seconds between a forwarded SIGTERM and SIGKILL; absent: no limit. */
  readonly stopTimeout?: number;
  readonly landlock: "auto" | "require" | "off";
  readonly cgroups: CgroupPolicy;
  /** Host files that get the id and the PID before the command runs. Absolute. */
  readonly cidFile?: string;
  readonly pidFile?: string;
}

/** The container's record in the state directory, as operations of the monitor. */
export interface StatePlan {
  /** After `spawnJanitor`, so that the janitor removes what they make. */
  readonly create: readonly MonitorOperation[];
  /** Once the command runs. */
  readonly started: readonly MonitorOperation[];
  /** In the clean-up list, after the cgroup's. */
  readonly remove: readonly MonitorOperation[];
  /** Where `supervise` writes the exit status, or "". */
  readonly exitFile: string;
}

/** No record at all. */
export const NO_STATE: StatePlan = { create: [], started: [], remove: [], exitFile: "" };
