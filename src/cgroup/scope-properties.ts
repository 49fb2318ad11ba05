/**
 * `linux.resources` → properties of a systemd scope (org.freedesktop.systemd1(5)), so that `systemctl show` tells them
 * and the scope weighs against its siblings. Pure.
 *
 * The exact limits are those of the container's leaf inside the scope. The scope also holds the monitor and the janitor, so
 * its bounds on memory and tasks leave room for them: reaching the container's limit must kill the container, not its
 * monitor.
 */
import type { LinuxResources } from "../oci/linux-resources.ts";
import { cpuWeightFromShares, ioWeightFromBlkio, isUnlimited, parseIdList, resolveBandwidth } from "./conversions.ts";

/** D-Bus signature and value; `t` is unsigned 64 bits. */
export interface UnitProperty {
  readonly name: string;
  readonly signature: string;
  readonly value: bigint | boolean | string | readonly number[];
}

/** Bytes for the monitor, the janitor, and pycri itself until it has become the monitor. */
export const MONITOR_MEMORY: number = 64 * 2 ** 20;
/** Tasks for the same; Node brings its threads. */
export const MONITOR_TASKS = 32;

/** UINT64_MAX, systemd's "infinity". */
const INFINITY = 2n ** 64n - 1n;
/** CPUQuotaPerSecUSec is kept in steps of 10 ms by older versions; the next step up keeps the leaf's limit the one that holds. */
const QUOTA_STEP = 10_000n;

/** Limits of the scope for its container's limits. `unified` keys and devices' rates stay with the leaf alone. */
export function scopeProperties(resources: LinuxResources): readonly UnitProperty[] {
  const { memory, cpu, pids, blockIO } = resources;
  const properties: UnitProperty[] = [];
  const add = (name: string, value: bigint): void => {
    properties.push({ name, signature: "t", value });
  };
  const limit = (value: number, room: number): bigint => (isUnlimited(value) ? INFINITY : BigInt(value) + BigInt(room));
  if (memory?.limit !== undefined && memory.limit !== 0) add("MemoryMax", limit(memory.limit, MONITOR_MEMORY));
  if (memory?.reservation !== undefined && memory.reservation !== 0) add("MemoryLow", limit(memory.reservation, 0));
  if (cpu?.shares !== undefined && cpu.shares !== 0) add("CPUWeight", BigInt(cpuWeightFromShares(cpu.shares)));
  if (cpu?.quota !== undefined) {
    const { quota, period } = resolveBandwidth(cpu);
    add("CPUQuotaPerSecUSec", quota === Infinity ? INFINITY : roundUp((BigInt(quota) * 1_000_000n) / BigInt(period)));
    if (cpu.period !== undefined && cpu.period !== 0) add("CPUQuotaPeriodUSec", BigInt(period));
  }
  if (pids?.limit !== undefined) add("TasksMax", pids.limit <= 0 ? INFINITY : limit(pids.limit, MONITOR_TASKS));
  if (blockIO?.weight !== undefined && blockIO.weight !== 0) add("IOWeight", BigInt(ioWeightFromBlkio(blockIO.weight)));
  if (cpu?.cpus) properties.push({ name: "AllowedCPUs", signature: "ay", value: bitMask(parseIdList(cpu.cpus)) });
  if (cpu?.mems)
    properties.push({ name: "AllowedMemoryNodes", signature: "ay", value: bitMask(parseIdList(cpu.mems)) });
  return properties;
}

function roundUp(microseconds: bigint): bigint {
  return ((microseconds + QUOTA_STEP) / QUOTA_STEP) * QUOTA_STEP;
}

/** Bit n of the little-endian byte array stands for id n. */
function bitMask(ids: readonly number[]): readonly number[] {
  const bytes: number[] = Array.from({ length: Math.floor((ids.at(-1) ?? 0) / 8) + 1 }, () => 0);
  for (const id of ids) bytes[id >> 3] = (bytes[id >> 3] ?? 0) | (1 << (id & 7));
  return bytes;
}
