/**
 * What the three cgroup managers have in common: how one is asked for, what it prepares for a container, and what is
 * recorded of it. `open-manager.ts` chooses one; `live-cgroup.ts` works on what was recorded.
 *
 * A manager is opened without side effects, so that limits can be resolved against what it offers and a dry run can
 * print its plan; `prepare` then changes the host as far as that must happen before the monitor takes over.
 */
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { CgroupPlan, CgroupRecord } from "../plan/cgroup-plan.ts";
import type { CgroupPolicy } from "../plan/run-request.ts";
import type { Allowance } from "./capacity.ts";
import type { CgroupInterface } from "./limit-writes.ts";

export interface CgroupRequest {
  readonly containerId: string;
  readonly resources: LinuxResources;
  /** File that receives the number of out-of-memory kills, or "". */
  readonly oomRecordFile: string;
  /** What to do with a limit that cannot be applied. */
  readonly policy: CgroupPolicy;
  /** Change nothing on the host; the plan may then name a cgroup that does not exist yet. */
  readonly dryRun: boolean;
}

export interface PreparedCgroup {
  readonly plan: CgroupPlan;
  /** Null when the container stays in the caller's cgroup. */
  readonly record: CgroupRecord | null;
  /** Sentences without a capital letter or a full stop. */
  readonly warnings: readonly string[];
}

export interface CgroupManager {
  readonly name: "systemd" | "cgroupfs" | "v1" | "disabled";
  /** Why there is no other manager than "disabled", and what mends that. */
  readonly lack?: { readonly reason: string; readonly remedy: string | null };
  /** What the host and the cgroups above the container's allow. */
  readonly levels: readonly Allowance[];
  /** What a container's cgroup will offer. */
  readonly cgroup: CgroupInterface;
  /** Whether it can limit swap. */
  readonly limitsSwap: boolean;
  /** RuntimeError LIMIT_UNSUPPORTED, INVALID_SPEC, HOST_UNSUPPORTED. */
  prepare(request: CgroupRequest): Promise<PreparedCgroup>;
}
