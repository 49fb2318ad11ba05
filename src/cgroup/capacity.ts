/**
 * How much there is to share out: what the host has and what each cgroup above the container's allows. Limits given in
 * per cent are a part of that, and limits above it are reported, since the kernel holds the smaller one. Pure.
 */
import { RuntimeError } from "../errors.ts";
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { ResourceRequest } from "../plan/run-request.ts";
import {
  bandwidthCpus,
  bandwidthFromCpus,
  DEFAULT_PERIOD,
  isUnlimited,
  parseIdList,
  resolveBandwidth,
} from "./conversions.ts";

/** What one cgroup, or the host, allows. Infinity without a limit. */
export interface Allowance {
  /** Whose: the cgroup's path, or "the host". */
  readonly holder: string;
  /** Bytes. */
  readonly memory: number;
  /** CPUs' worth of time, a fraction. */
  readonly cpus: number;
  /** Tasks. */
  readonly pids: number;
}

/** The least of each that the host and all cgroups on the way up allow. */
export function effectiveAllowance(levels: readonly Allowance[]): {
  readonly [Key in "memory" | "cpus" | "pids"]: { readonly value: number; readonly holder: string };
} {
  const least = (key: "memory" | "cpus" | "pids"): { readonly value: number; readonly holder: string } => {
    let value = Infinity;
    let holder = "the host";
    for (const level of levels) if (level[key] < value) ({ [key]: value, holder } = level);
    return { value, holder };
  };
  return { memory: least("memory"), cpus: least("cpus"), pids: least("pids") };
}

/** Pages are the unit of memory limits; the kernel rounds down, and a limit of 0 would kill everything. */
const PAGE = 4096;

/**
 * Replaces percentages by what they come to of `allowance`, never more than all of it. RuntimeError INVALID_ARGUMENT for a
 * percentage outside ]0, 100], LIMIT_UNSUPPORTED when there is nothing finite to take a part of.
 */
export function resolvePercentages(request: ResourceRequest, levels: readonly Allowance[]): ResourceRequest {
  const { percent, ...absolute } = request;
  if (percent === undefined) return request;
  const allowance = effectiveAllowance(levels);
  const resolved: { -readonly [Key in keyof ResourceRequest]: ResourceRequest[Key] } = absolute;
  if (percent.memory !== undefined) {
    const bytes = part(percent.memory, allowance.memory.value, "memory");
    resolved.memory = Math.max(PAGE, Math.floor(bytes / PAGE) * PAGE);
  }
  if (percent.cpus !== undefined) {
    const cpus = part(percent.cpus, allowance.cpus.value, "CPU time");
    // Rounded down, so that parts of a whole never add up to more.
    const { quota, period } = bandwidthFromCpus(Math.floor(cpus * DEFAULT_PERIOD) / DEFAULT_PERIOD);
    resolved.cpuQuota = quota;
    resolved.cpuPeriod = period;
  }
  if (percent.pids !== undefined) {
    resolved.pidsLimit = Math.max(1, Math.floor(part(percent.pids, allowance.pids.value, "tasks")));
  }
  return resolved;
}

function part(share: number, whole: number, of: string): number {
  if (!(share > 0 && share <= 100)) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot limit ${of} to ${share} %: give more than 0 and at most 100`);
  }
  if (whole === Infinity) {
    throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot limit ${of} to ${share} %: nothing bounds it on this host`);
  }
  return (whole * share) / 100;
}

/** One sentence for each limit that a cgroup further up, or the host, undercuts. Nothing is wrong with them; they mislead. */
export function undercutLimits(resources: LinuxResources, levels: readonly Allowance[]): readonly string[] {
  const { memory, cpus, pids } = effectiveAllowance(levels);
  const sentences: string[] = [];
  const limit = resources.memory?.limit;
  if (limit !== undefined && limit !== 0 && !isUnlimited(limit) && limit > memory.value) {
    sentences.push(
      `the memory limit of ${formatBytes(limit)} is above the ${formatBytes(memory.value)} of ${memory.holder}, which hold`,
    );
  }
  const quota = resources.cpu?.quota;
  if (quota !== undefined && quota >= 1) {
    const asked = bandwidthCpus(resolveBandwidth(resources.cpu ?? {}));
    if (asked > cpus.value) {
      sentences.push(
        `the limit of ${round(asked)} CPUs is above the ${round(cpus.value)} of ${cpus.holder}, which hold`,
      );
    }
  }
  const tasks = resources.pids?.limit;
  if (tasks !== undefined && tasks > 0 && tasks > pids.value) {
    sentences.push(`the limit of ${tasks} tasks is above the ${pids.value} of ${pids.holder}, which hold`);
  }
  return sentences;
}

/**
 * RuntimeError LIMIT_UNSUPPORTED when a CPU or node is not among those the parent may use. cgroup v2 would accept the list
 * and then silently use the parent's.
 */
export function checkIdsAvailable(what: "CPU" | "memory node", asked: string, available: string): void {
  const have = new Set(parseIdList(available));
  const missing = parseIdList(asked).filter((id) => !have.has(id));
  if (missing.length > 0) {
    throw new RuntimeError(
      "LIMIT_UNSUPPORTED",
      `Cannot bind the container to ${what} ${missing.join(", ")}: available are ${available.trim()}`,
      {
        hint: `${what === "CPU" ? "--cpuset-cpus" : "--cpuset-mems"} takes from what the cgroups above the container have`,
      },
    );
  }
}

/** `64 MiB`, `1.5 GiB`, `100 B`: at most two digits after the point, binary units. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${round(value)} ${units[unit] ?? "B"}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
