/**
 * `linux.resources` → the files of a cgroup v2 directory. Pure. Source: the kernel's
 * Documentation/admin-guide/cgroup-v2.rst, and the conversions in `conversions.ts`.
 */
import { RuntimeError } from "../errors.ts";
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources, ThrottledDevice } from "../oci/linux-resources.ts";
import {
  checkBlkioWeight,
  cpuWeightFromShares,
  formatCpuMax,
  formatInteger,
  formatLimit,
  ioWeightFromBlkio,
  parseIdList,
  resolveBandwidth,
  swapFromTotal,
  UNLIMITED,
  type Bandwidth,
} from "./conversions.ts";
import { LimitWriter, type CgroupInterface, type LimitWrites } from "./limit-writes.ts";

/** What is in force already, where a new value only makes sense beside it. */
export interface PresentV2Limits {
  /** memory.max in bytes; Infinity without a limit. */
  readonly memory: number;
  readonly bandwidth: Bandwidth;
}

/** RuntimeError INVALID_SPEC for values that contradict each other or lie outside the kernel's bounds. */
export function v2LimitWrites(
  resources: LinuxResources,
  cgroup: CgroupInterface,
  present?: PresentV2Limits,
): LimitWrites {
  const out = new LimitWriter(cgroup);
  if (resources.memory !== undefined) writeMemory(out, resources.memory, present?.memory);
  if (resources.cpu !== undefined) writeCpu(out, resources.cpu, cgroup, present?.bandwidth);
  const pids = resources.pids?.limit;
  if (pids !== undefined) out.write("pids.limit", "pids", "pids.max", pids <= 0 ? UNLIMITED : formatLimit(pids));
  if (resources.blockIO !== undefined) writeBlockIo(out, resources.blockIO, cgroup);
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) {
    checkPageSize(pageSize);
    out.write("hugepageLimits", "hugetlb", `hugetlb.${pageSize}.max`, formatLimit(limit), "optional");
    // Reservations (Linux 5.7) fail at mmap(2); without their limit an excess is a SIGBUS at the first touch.
    const reserved = `hugetlb.${pageSize}.rsvd.max`;
    if (cgroup.hasFile(reserved)) out.write("hugepageLimits", "hugetlb", reserved, formatLimit(limit));
  }
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(resources.rdma ?? {})) {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${formatInteger(hcaHandles)}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${formatInteger(hcaObjects)}`;
    out.write(`rdma.${device}`, "rdma", "rdma.max", `${device}${handles}${objects}`);
  }
  if (resources.network?.classID !== undefined) out.refuse("network.classID", "cgroup v2 has no net_cls controller");
  if ((resources.network?.priorities ?? []).length > 0) {
    out.refuse("network.priorities", "cgroup v2 has no net_prio controller");
  }
  for (const [file, contents] of Object.entries(resources.unified ?? {})) writeUnified(out, file, contents);
  return out;
}

function writeMemory(out: LimitWriter, memory: LinuxMemory, present: number | undefined): void {
  // Before memory.max, so that a smaller limit never pushes pages into swap that is about to be closed.
  const swap = swapFromTotal(memory.swap, memory.limit ?? present);
  if (swap !== undefined) out.write("memory.swap", "memory", "memory.swap.max", formatLimit(swap), "optional");
  if (memory.limit !== undefined && memory.limit !== 0) {
    out.write("memory.limit", "memory", "memory.max", formatLimit(memory.limit));
  }
  if (memory.reservation !== undefined && memory.reservation !== 0) {
    out.write("memory.reservation", "memory", "memory.low", formatLimit(memory.reservation));
  }
  if (memory.disableOOMKiller === true) {
    out.refuse("memory.disableOOMKiller", "cgroup v2 cannot switch the OOM killer off");
  }
  if (memory.swappiness !== undefined) out.refuse("memory.swappiness", "cgroup v2 has no swappiness for each cgroup");
  if (memory.kernelTCP !== undefined) out.refuse("memory.kernelTCP", "cgroup v2 counts TCP buffers in memory.limit");
}

function writeCpu(out: LimitWriter, cpu: LinuxCpu, cgroup: CgroupInterface, present: Bandwidth | undefined): void {
  // cpu.weight cannot be read or written while cpu.idle is 1, so idle goes first when it ends and last when it begins.
  if (cpu.idle === 0 && cgroup.hasFile("cpu.idle")) out.write("cpu.idle", "cpu", "cpu.idle", "0");
  if (cpu.shares !== undefined && cpu.shares !== 0 && cpu.idle !== 1) {
    out.write("cpu.shares", "cpu", "cpu.weight", formatInteger(cpuWeightFromShares(cpu.shares)));
  }
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    const bandwidth = resolveBandwidth(cpu, present);
    out.write("cpu.quota", "cpu", "cpu.max", formatCpuMax(bandwidth));
    checkBurst(cpu.burst, bandwidth);
  }
  if (cpu.burst !== undefined) {
    out.write("cpu.burst", "cpu", "cpu.max.burst", formatInteger(cpu.burst), "optional");
  }
  if (cpu.realtimePeriod !== undefined || cpu.realtimeRuntime !== undefined) {
    out.refuse("cpu.realtimeRuntime", "cgroup v2 has no realtime bandwidth");
  }
  if (cpu.cpus !== undefined) writeIdList(out, "cpu.cpus", "cpuset.cpus", cpu.cpus);
  if (cpu.mems !== undefined) writeIdList(out, "cpu.mems", "cpuset.mems", cpu.mems);
  if (cpu.idle === 1) out.write("cpu.idle", "cpu", "cpu.idle", "1", "optional");
}

/** The kernel allows a burst of at most the quota (EINVAL). RuntimeError INVALID_SPEC. */
export function checkBurst(burst: number | undefined, { quota }: Bandwidth): void {
  if (burst !== undefined && burst > quota) {
    throw new RuntimeError("INVALID_SPEC", `Cannot allow a CPU burst of ${burst} µs: the quota is ${quota} µs`);
  }
}

function writeIdList(out: LimitWriter, limit: string, file: string, list: string): void {
  if (list.trim() === "") return;
  parseIdList(list);
  out.write(limit, "cpuset", file, list.trim());
}

function writeBlockIo(out: LimitWriter, io: LinuxBlockIo, cgroup: CgroupInterface): void {
  // BFQ has a weight of its own, on blkio's scale; io.weight belongs to the iocost policy, which may be compiled out.
  const bfq = !cgroup.hasFile("io.weight") && cgroup.hasFile("io.bfq.weight");
  const file = bfq ? "io.bfq.weight" : "io.weight";
  const convert = (weight: number): number => {
    checkBlkioWeight(weight);
    return bfq ? weight : ioWeightFromBlkio(weight);
  };
  if (io.weight !== undefined && io.weight !== 0) {
    out.write("blockIO.weight", "io", file, `default ${convert(io.weight)}`, "optional");
  }
  for (const { major, minor, weight, leafWeight } of io.weightDevice ?? []) {
    if (weight !== undefined && weight !== 0) {
      out.write("blockIO.weightDevice", "io", file, `${major}:${minor} ${convert(weight)}`, "optional");
    }
    if (leafWeight !== undefined) refuseLeafWeight(out, "blockIO.weightDevice.leafWeight");
  }
  if (io.leafWeight !== undefined && io.leafWeight !== 0) refuseLeafWeight(out, "blockIO.leafWeight");
  for (const line of ioMaxLines(io)) out.write("blockIO.throttle", "io", "io.max", line);
}

function refuseLeafWeight(out: LimitWriter, limit: string): void {
  out.refuse(limit, "leaf weights went with the CFQ scheduler in Linux 5.0");
}

/** Lines of io.max, one per device. */
export function ioMaxLines(io: LinuxBlockIo): readonly string[] {
  const lines = new Map<string, string[]>();
  const collect = (key: string, devices: readonly ThrottledDevice[] = []): void => {
    for (const { major, minor, rate } of devices) {
      const device = `${major}:${minor}`;
      const limits = lines.get(device) ?? [];
      limits.push(`${key}=${rate === 0 ? UNLIMITED : formatInteger(rate)}`);
      lines.set(device, limits);
    }
  };
  collect("rbps", io.throttleReadBpsDevice);
  collect("wbps", io.throttleWriteBpsDevice);
  collect("riops", io.throttleReadIOPSDevice);
  collect("wiops", io.throttleWriteIOPSDevice);
  return [...lines].map(([device, limits]) => `${device} ${limits.join(" ")}`);
}

/** RuntimeError INVALID_SPEC unless it looks like the Spec's `2MB`, which becomes part of a file name. */
export function checkPageSize(pageSize: string): void {
  if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) {
    throw new RuntimeError(
      "INVALID_SPEC",
      `Cannot use huge page size "${pageSize}": it must look like 64KB, 2MB or 1GB`,
    );
  }
}

/** Files of the cgroup core that move processes or reshape the tree: never a limit, and ours to write. */
const CORE_LIMITS: ReadonlySet<string> = new Set(["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"]);

function writeUnified(out: LimitWriter, file: string, contents: string): void {
  const controller = /^([a-z][a-z0-9_]*)\.[A-Za-z0-9_.]+$/.exec(file)?.[1];
  if (controller === undefined || (controller === "cgroup" && !CORE_LIMITS.has(file))) {
    throw new RuntimeError("INVALID_SPEC", `Cannot write "${file}": it is no limit of cgroup v2`, {
      details: { pointer: `/linux/resources/unified/${file}` },
    });
  }
  // Files with a line for each device take one line in each write(2).
  for (const line of contents.split("\n")) {
    if (line === "") continue;
    if (controller === "cgroup") out.writes.push({ controller, file, value: line });
    else out.write(`unified.${file}`, controller, file, line, "optional");
  }
}
