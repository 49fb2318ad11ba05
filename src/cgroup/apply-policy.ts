/** What becomes of limits that cannot be applied: an error, or one warning. Pure. */
import { RuntimeError } from "../errors.ts";
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { CgroupPolicy } from "../plan/run-request.ts";
import { checkIdsAvailable, effectiveAllowance, type Allowance } from "./capacity.ts";
import { isUnlimited } from "./conversions.ts";
import type { UnsupportedLimit } from "./limit-writes.ts";

/** @returns warnings. RuntimeError LIMIT_UNSUPPORTED under the policy "enabled"; `details.limits` lists them all. */
export function applyPolicy(
  policy: CgroupPolicy,
  unsupported: readonly UnsupportedLimit[],
  hint: string | undefined,
): readonly string[] {
  if (unsupported.length === 0) return [];
  const list = describe(unsupported);
  if (policy !== "enabled") return [`limits not applied: ${list}`];
  throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot apply ${list}`, {
    hint: `${hint === undefined ? "" : `${hint}; `}--cgroups=auto applies what can be applied and warns about the rest`,
    details: { limits: unsupported },
  });
}

/** `--memory, --pids-limit: why; --cpuset-cpus: why else`. */
function describe(unsupported: readonly UnsupportedLimit[]): string {
  const limits = new Map<string, Set<string>>();
  for (const { limit, reason } of unsupported) {
    limits.set(reason, (limits.get(reason) ?? new Set<string>()).add(flagOf(limit)));
  }
  return [...limits].map(([reason, names]) => `${[...names].join(", ")}: ${reason}`).join("; ");
}

const FLAGS: Readonly<Record<string, string>> = {
  "memory.limit": "--memory",
  "memory.swap": "--memory-swap",
  "memory.reservation": "--memory-reservation",
  "memory.swappiness": "--memory-swappiness",
  "memory.disableOOMKiller": "--oom-kill-disable",
  "unified.memory.high": "--memory-high",
  "unified.memory.oom.group": "--oom-group",
  "cpu.quota": "--cpus",
  "cpu.period": "--cpu-period",
  "cpu.burst": "--cpu-burst",
  "cpu.shares": "--cpu-shares",
  "cpu.idle": "--cpu-idle",
  "cpu.cpus": "--cpuset-cpus",
  "cpu.mems": "--cpuset-mems",
  "pids.limit": "--pids-limit",
  "blockIO.weight": "--blkio-weight",
  "blockIO.weightDevice": "--blkio-weight-device",
  "blockIO.throttle": "--device-read-bps, --device-write-bps, --device-read-iops or --device-write-iops",
  "blockIO.throttleReadBpsDevice": "--device-read-bps",
  "blockIO.throttleWriteBpsDevice": "--device-write-bps",
  "blockIO.throttleReadIOPSDevice": "--device-read-iops",
  "blockIO.throttleWriteIOPSDevice": "--device-write-iops",
  hugepageLimits: "--hugepage-limit",
};

/** The flag that asks for a limit of `linux.resources`; its path there when no flag does. */
function flagOf(limit: string): string {
  const flag = FLAGS[limit];
  if (flag !== undefined) return flag;
  return limit.startsWith("unified.") ? `--cgroup-conf ${limit.slice("unified.".length)}` : limit;
}

/** The names of all limits in `resources`, for hosts where none can be applied. What lifts a limit is none. */
export function limitNames(resources: LinuxResources): readonly string[] {
  const names: string[] = [];
  const collect = (prefix: string, members: object | undefined): void => {
    for (const [name, value] of Object.entries(members ?? {})) {
      const lifts = value === false || (typeof value === "number" && value < 0);
      if (!lifts) names.push(`${prefix}.${name}`);
    }
  };
  collect("memory", resources.memory);
  collect("cpu", resources.cpu);
  collect("pids", resources.pids);
  collect("blockIO", resources.blockIO);
  collect("unified", resources.unified);
  collect("rdma", resources.rdma);
  collect("network", resources.network);
  if ((resources.hugepageLimits ?? []).length > 0) names.push("hugepageLimits");
  return names;
}

/** Rejects CPUs and memory nodes that the parent's cpuset does not have. RuntimeError LIMIT_UNSUPPORTED. */
export function checkCpuset(resources: LinuxResources, parent: { readonly cpus: string; readonly mems: string }): void {
  if (resources.cpu?.cpus) checkIdsAvailable("CPU", resources.cpu.cpus, parent.cpus);
  if (resources.cpu?.mems) checkIdsAvailable("memory node", resources.cpu.mems, parent.mems);
}

/** The memory limit that holds, in bytes: the container's own or a smaller one above it; undefined for none. */
export function holdingMemoryLimit(resources: LinuxResources, levels: readonly Allowance[]): number | undefined {
  const own = resources.memory?.limit;
  const asked = own === undefined || own === 0 || isUnlimited(own) ? Infinity : own;
  const cgroups = levels.filter(({ holder }) => holder !== "the host");
  const least = Math.min(asked, effectiveAllowance(cgroups).memory.value);
  return least === Infinity ? undefined : least;
}
