/**
 * `linux.resources` → the files of cgroup v1 directories, one hierarchy for each controller. Pure. Source: the kernel's
 * Documentation/admin-guide/cgroup-v1.
 */
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources, ThrottledDevice } from "../oci/linux-resources.ts";
import {
  bandwidthCpus,
  checkBlkioWeight,
  formatInteger,
  isUnlimited,
  parseIdList,
  resolveBandwidth,
  swapFromTotal,
  type Bandwidth,
} from "./conversions.ts";
import { LimitWriter, type CgroupInterface, type LimitWrites } from "./limit-writes.ts";
import { checkBurst, checkPageSize } from "./v2-limits.ts";

/** What is in force already. Memory in bytes, Infinity without a limit. */
export interface PresentV1Limits {
  readonly memory: number;
  /** Memory plus swap. */
  readonly total: number;
  readonly bandwidth: Bandwidth;
  /** CPUs that the cgroups above allow. v1 answers a larger quota with EINVAL, where v2 holds the smaller one. */
  readonly parentCpus?: number;
}

/** In a cgroup just made. */
export const NEW_V1_CGROUP: PresentV1Limits = {
  memory: Infinity,
  total: Infinity,
  bandwidth: { quota: Infinity, period: 100_000 },
};

/** RuntimeError INVALID_SPEC for values that contradict each other or lie outside the kernel's bounds. */
export function v1LimitWrites(
  resources: LinuxResources,
  cgroup: CgroupInterface,
  present: PresentV1Limits = NEW_V1_CGROUP,
): LimitWrites {
  const out = new LimitWriter(cgroup);
  if (resources.memory !== undefined) writeMemory(out, resources.memory, present);
  if (resources.cpu !== undefined) writeCpu(out, resources.cpu, present);
  const pids = resources.pids?.limit;
  if (pids !== undefined) {
    out.write("pids.limit", "pids", "pids.max", pids <= 0 || isUnlimited(pids) ? "max" : formatInteger(pids));
  }
  if (resources.blockIO !== undefined) writeBlockIo(out, resources.blockIO, cgroup);
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) {
    checkPageSize(pageSize);
    const value = isUnlimited(limit) ? "-1" : formatInteger(limit);
    out.write("hugepageLimits", "hugetlb", `hugetlb.${pageSize}.limit_in_bytes`, value, "optional");
    const reserved = `hugetlb.${pageSize}.rsvd.limit_in_bytes`;
    if (cgroup.hasFile(reserved)) out.write("hugepageLimits", "hugetlb", reserved, value);
  }
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(resources.rdma ?? {})) {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${formatInteger(hcaHandles)}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${formatInteger(hcaObjects)}`;
    out.write(`rdma.${device}`, "rdma", "rdma.max", `${device}${handles}${objects}`);
  }
  const classID = resources.network?.classID;
  if (classID !== undefined) out.write("network.classID", "net_cls", "net_cls.classid", formatInteger(classID));
  for (const { name, priority } of resources.network?.priorities ?? []) {
    out.write("network.priorities", "net_prio", "net_prio.ifpriomap", `${name} ${formatInteger(priority)}`);
  }
  for (const file of Object.keys(resources.unified ?? {})) {
    out.refuse(`unified.${file}`, "this host's controllers are on cgroup v1");
  }
  return out;
}

function writeMemory(out: LimitWriter, memory: LinuxMemory, present: PresentV1Limits): void {
  const limit = memory.limit === undefined || memory.limit === 0 ? undefined : toNumber(memory.limit);
  // Checks that the sum is not below the memory limit, which the kernel would answer with EINVAL.
  swapFromTotal(memory.swap, memory.limit ?? present.memory);
  const total = memory.swap === undefined || memory.swap === 0 ? undefined : toNumber(memory.swap);
  const writeLimit = (): void => {
    if (limit !== undefined) out.write("memory.limit", "memory", "memory.limit_in_bytes", toV1(limit));
  };
  const writeTotal = (): void => {
    if (total !== undefined) {
      out.write("memory.swap", "memory", "memory.memsw.limit_in_bytes", toV1(total), "optional");
    }
  };
  // The kernel keeps limit ≤ total at every moment (EINVAL otherwise): the one that makes room goes first.
  if (limit !== undefined && limit > present.total) {
    writeTotal();
    writeLimit();
  } else {
    writeLimit();
    writeTotal();
  }
  if (memory.reservation !== undefined && memory.reservation !== 0) {
    out.write("memory.reservation", "memory", "memory.soft_limit_in_bytes", toV1(toNumber(memory.reservation)));
  }
  if (memory.kernelTCP !== undefined) {
    out.write(
      "memory.kernelTCP",
      "memory",
      "memory.kmem.tcp.limit_in_bytes",
      toV1(toNumber(memory.kernelTCP)),
      "optional",
    );
  }
  if (memory.swappiness !== undefined) {
    out.write("memory.swappiness", "memory", "memory.swappiness", formatInteger(memory.swappiness));
  }
  if (memory.disableOOMKiller !== undefined) {
    out.write("memory.disableOOMKiller", "memory", "memory.oom_control", memory.disableOOMKiller ? "1" : "0");
  }
}

function toNumber(limit: number): number {
  return isUnlimited(limit) ? Infinity : limit;
}

function toV1(limit: number): string {
  return limit === Infinity ? "-1" : formatInteger(limit);
}

function writeCpu(out: LimitWriter, cpu: LinuxCpu, { bandwidth, parentCpus = Infinity }: PresentV1Limits): void {
  if (cpu.idle === 0) out.write("cpu.idle", "cpu", "cpu.idle", "0", "optional");
  if (cpu.shares !== undefined && cpu.shares !== 0 && cpu.idle !== 1) {
    out.write("cpu.shares", "cpu", "cpu.shares", formatInteger(cpu.shares));
  }
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    const next = resolveBandwidth(cpu, bandwidth);
    checkBurst(cpu.burst, next);
    const writes = [
      { file: "cpu.cfs_period_us", value: formatInteger(next.period) },
      { file: "cpu.cfs_quota_us", value: toV1(next.quota) },
    ];
    // Two files make one ratio, and a parent's ratio bounds it at every moment: the one that lowers it goes first.
    if (next.period < bandwidth.period) writes.reverse();
    if (next.quota !== Infinity && bandwidthCpus(next) > parentCpus) {
      out.refuse("cpu.quota", `the cgroups above allow ${parentCpus} CPUs`);
    } else {
      for (const { file, value } of writes) out.write("cpu.quota", "cpu", file, value);
    }
  }
  if (cpu.burst !== undefined) {
    out.write("cpu.burst", "cpu", "cpu.cfs_burst_us", formatInteger(cpu.burst), "optional");
  }
  if (cpu.realtimePeriod !== undefined && cpu.realtimePeriod !== 0) {
    out.write("cpu.realtimePeriod", "cpu", "cpu.rt_period_us", formatInteger(cpu.realtimePeriod), "optional");
  }
  if (cpu.realtimeRuntime !== undefined && cpu.realtimeRuntime !== 0) {
    out.write("cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", formatInteger(cpu.realtimeRuntime), "optional");
  }
  if (cpu.cpus !== undefined && cpu.cpus.trim() !== "") {
    parseIdList(cpu.cpus);
    out.write("cpu.cpus", "cpuset", "cpuset.cpus", cpu.cpus.trim());
  }
  if (cpu.mems !== undefined && cpu.mems.trim() !== "") {
    parseIdList(cpu.mems);
    out.write("cpu.mems", "cpuset", "cpuset.mems", cpu.mems.trim());
  }
  if (cpu.idle === 1) out.write("cpu.idle", "cpu", "cpu.idle", "1", "optional");
}

function writeBlockIo(out: LimitWriter, io: LinuxBlockIo, cgroup: CgroupInterface): void {
  // blkio.weight went with the CFQ scheduler in Linux 5.0; BFQ's file took over its scale.
  const prefix = !cgroup.hasFile("blkio.weight") && cgroup.hasFile("blkio.bfq.weight") ? "blkio.bfq" : "blkio";
  if (io.weight !== undefined && io.weight !== 0) {
    checkBlkioWeight(io.weight);
    out.write("blockIO.weight", "blkio", `${prefix}.weight`, formatInteger(io.weight), "optional");
  }
  if (io.leafWeight !== undefined && io.leafWeight !== 0) {
    checkBlkioWeight(io.leafWeight);
    out.write("blockIO.leafWeight", "blkio", "blkio.leaf_weight", formatInteger(io.leafWeight), "optional");
  }
  for (const { major, minor, weight, leafWeight } of io.weightDevice ?? []) {
    if (weight !== undefined && weight !== 0) {
      checkBlkioWeight(weight);
      const value = `${major}:${minor} ${formatInteger(weight)}`;
      out.write("blockIO.weightDevice", "blkio", `${prefix}.weight_device`, value, "optional");
    }
    if (leafWeight !== undefined && leafWeight !== 0) {
      checkBlkioWeight(leafWeight);
      const value = `${major}:${minor} ${formatInteger(leafWeight)}`;
      out.write("blockIO.weightDevice", "blkio", "blkio.leaf_weight_device", value, "optional");
    }
  }
  const throttle = (kind: string, devices: readonly ThrottledDevice[] = []): void => {
    for (const { major, minor, rate } of devices) {
      const file = `blkio.throttle.${kind}_device`;
      out.write("blockIO.throttle", "blkio", file, `${major}:${minor} ${formatInteger(rate)}`, "optional");
    }
  };
  throttle("read_bps", io.throttleReadBpsDevice);
  throttle("write_bps", io.throttleWriteBpsDevice);
  throttle("read_iops", io.throttleReadIOPSDevice);
  throttle("write_iops", io.throttleWriteIOPSDevice);
}
