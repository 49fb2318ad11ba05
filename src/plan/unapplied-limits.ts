/**
 * Limits that nobody will apply: a Spec asks for some, and the container has no cgroup of its own. A limit that is
 * silently ignored is worse than an error.
 */

import { RuntimeError } from "../errors.ts";
import type { LinuxResources } from "../oci/linux-resources.ts";

export interface Limit {
  /** The flag that asks for it. */
  readonly flag: string;
  readonly value: string;
}

/** The limits of `linux.resources` by the flags that set them. What is unlimited is no limit. */
export function listLimits(resources: LinuxResources): readonly Limit[] {
  const { memory = {}, cpu = {}, pids = {}, blockIO = {}, unified = {} } = resources;
  const scalars: readonly (readonly [string, number | string | boolean | undefined])[] = [
    ["--memory", memory.limit],
    ["--memory-swap", memory.swap],
    ["--memory-reservation", memory.reservation],
    ["--memory-swappiness", memory.swappiness],
    ["--oom-kill-disable", memory.disableOOMKiller],
    ["--cpu-quota", cpu.quota],
    ["--cpu-shares", cpu.shares],
    ["--cpu-rt-runtime", cpu.realtimeRuntime],
    ["--cpuset-cpus", cpu.cpus],
    ["--cpuset-mems", cpu.mems],
    ["--pids-limit", pids.limit],
    ["--blkio-weight", blockIO.weight],
  ];
  const lists: readonly (readonly [
    string,
    readonly { readonly rate?: number; readonly weight?: number }[] | undefined,
  ])[] = [
    ["--blkio-weight-device", blockIO.weightDevice],
    ["--device-read-bps", blockIO.throttleReadBpsDevice],
    ["--device-write-bps", blockIO.throttleWriteBpsDevice],
    ["--device-read-iops", blockIO.throttleReadIOPSDevice],
    ["--device-write-iops", blockIO.throttleWriteIOPSDevice],
  ];
  return [
    ...scalars
      .filter(([, value]) => value !== undefined && value !== false && value !== "" && !(Number(value) < 0))
      .map(([flag, value]) => ({ flag, value: String(value) })),
    ...lists.flatMap(([flag, entries = []]) =>
      entries.map((entry) => ({ flag, value: String(entry.rate ?? entry.weight) })),
    ),
    ...(resources.hugepageLimits ?? []).map((entry) => ({
      flag: "hugepageLimits",
      value: `${entry.pageSize}=${entry.limit}`,
    })),
    ...Object.entries(unified).map(([flag, value]) => ({ flag, value })),
  ];
}

/** For a container that no cgroup manager looks after. */
export function refuseLimits(resources: LinuxResources): void {
  const limits = listLimits(resources);
  const [first] = limits;
  if (first === undefined) return;
  throw new RuntimeError(
    "LIMIT_UNSUPPORTED",
    `Cannot apply the limit ${first.flag} ${first.value}: the container has no cgroup of its own`,
    {
      hint: "Run pycri doctor to see what is missing; --cgroups=auto drops limits that cannot be applied, --cgroups=disabled all.",
      details: { limits },
    },
  );
}
