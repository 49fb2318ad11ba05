/**
 * What a container uses, from the counters of its cgroup. Pure: the files' contents come as a function, so that both
 * versions parse the same in a test.
 */
import { parseLimit } from "./conversions.ts";

/** Counters since the container's start, unless said otherwise. A part that no controller counts is null. */
export interface CgroupUsage {
  readonly cpu: {
    /** Microseconds. */
    readonly usage: number;
    readonly user: number;
    readonly system: number;
    /** Periods of the quota that passed, how many of them ran into it, and for how long (µs). */
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledTime: number;
  } | null;
  readonly memory: {
    /** Bytes in use now, without the cache that is not in active use: what Docker shows. */
    readonly usage: number;
    /** Bytes charged in all, with every cache. */
    readonly total: number;
    readonly peak: number | null;
    /** Anonymous memory, file cache, kernel memory. */
    readonly anon: number;
    readonly file: number;
    readonly kernel: number;
    readonly swap: number | null;
    /** The container's own limit; null without one. */
    readonly limit: number | null;
    /** Out-of-memory kills. */
    readonly oomKills: number;
  } | null;
  readonly pids: { readonly current: number; readonly limit: number | null } | null;
  readonly io: readonly DeviceUsage[] | null;
  /** Pressure stall information; null where the kernel has none. */
  readonly pressure: {
    readonly cpu: Pressure | null;
    readonly memory: Pressure | null;
    readonly io: Pressure | null;
  };
}

export interface DeviceUsage {
  /** `major:minor`. */
  readonly device: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
}

/** Documentation/accounting/psi.rst. */
export interface Pressure {
  readonly some: PressureLine;
  /** Absent for CPU before Linux 5.13. */
  readonly full: PressureLine | null;
}

export interface PressureLine {
  /** Per cent of the last 10, 60 and 300 seconds. */
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  /** Microseconds. */
  readonly total: number;
}

/** The contents of a file of the container's cgroup, undefined when it is missing. v1: in its controller's hierarchy. */
export type FileReader = (file: string) => string | undefined;

/** `key value` lines. */
export function parseFlatKeyed(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [key, value] = line.split(" ");
    if (key && value) values.set(key, Number(value));
  }
  return values;
}

export function parsePressure(text: string | undefined): Pressure | null {
  const lines = new Map<string, PressureLine>();
  for (const line of (text ?? "").split("\n")) {
    const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line);
    if (match === null) continue;
    const [, kind = "", ...numbers] = match;
    const [avg10 = 0, avg60 = 0, avg300 = 0, total = 0] = numbers.map(Number);
    lines.set(kind, { avg10, avg60, avg300, total });
  }
  const some = lines.get("some");
  return some === undefined ? null : { some, full: lines.get("full") ?? null };
}

function finite(limit: number): number | null {
  return limit === Infinity ? null : limit;
}

/** @returns null for a text that is missing. */
function number(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

export function readV2Usage(read: FileReader): CgroupUsage {
  return {
    cpu: v2Cpu(read),
    memory: v2Memory(read),
    pids: pids(read),
    io: v2Io(read("io.stat")),
    pressure: {
      cpu: parsePressure(read("cpu.pressure")),
      memory: parsePressure(read("memory.pressure")),
      io: parsePressure(read("io.pressure")),
    },
  };
}

function v2Cpu(read: FileReader): CgroupUsage["cpu"] {
  // Every cgroup has cpu.stat; the controller adds the last three.
  const stat = parseFlatKeyed(read("cpu.stat") ?? "");
  const usage = stat.get("usage_usec");
  if (usage === undefined) return null;
  return {
    usage,
    user: stat.get("user_usec") ?? 0,
    system: stat.get("system_usec") ?? 0,
    periods: stat.get("nr_periods") ?? 0,
    throttledPeriods: stat.get("nr_throttled") ?? 0,
    throttledTime: stat.get("throttled_usec") ?? 0,
  };
}

function v2Memory(read: FileReader): CgroupUsage["memory"] {
  const total = number(read("memory.current"));
  if (total === null) return null;
  const stat = parseFlatKeyed(read("memory.stat") ?? "");
  return {
    usage: withoutInactive(total, stat.get("inactive_file")),
    total,
    peak: number(read("memory.peak")),
    anon: stat.get("anon") ?? 0,
    file: stat.get("file") ?? 0,
    kernel: stat.get("kernel") ?? 0,
    swap: number(read("memory.swap.current")),
    limit: finite(parseLimit(read("memory.max") ?? "max")),
    oomKills: parseFlatKeyed(read("memory.events") ?? "").get("oom_kill") ?? 0,
  };
}

/** Docker's count: cache that is on the inactive list can go at any time. */
function withoutInactive(total: number, inactive = 0): number {
  return inactive < total ? total - inactive : total;
}

function pids(read: FileReader): CgroupUsage["pids"] {
  const current = number(read("pids.current"));
  return current === null ? null : { current, limit: finite(parseLimit(read("pids.max") ?? "max")) };
}

function v2Io(text: string | undefined): readonly DeviceUsage[] | null {
  if (text === undefined) return null;
  return text
    .split("\n")
    .filter((line) => line.includes("="))
    .map((line) => {
      const [device = "", ...pairs] = line.split(" ");
      const counters = new Map(pairs.map((pair) => pair.split("=") as [string, string]));
      const count = (key: string): number => Number(counters.get(key) ?? 0);
      return {
        device,
        readBytes: count("rbytes"),
        writeBytes: count("wbytes"),
        reads: count("rios"),
        writes: count("wios"),
      };
    });
}

export function readV1Usage(read: FileReader): CgroupUsage {
  return {
    cpu: v1Cpu(read),
    memory: v1Memory(read),
    pids: pids(read),
    io: v1Io(read("blkio.throttle.io_service_bytes_recursive"), read("blkio.throttle.io_serviced_recursive")),
    pressure: { cpu: null, memory: null, io: null },
  };
}

/** USER_HZ, the unit of cpuacct.stat; 100 wherever Node runs. */
const TICKS_PER_SECOND = 100;

function v1Cpu(read: FileReader): CgroupUsage["cpu"] {
  const usage = number(read("cpuacct.usage"));
  if (usage === null) return null;
  const times = parseFlatKeyed(read("cpuacct.stat") ?? "");
  const stat = parseFlatKeyed(read("cpu.stat") ?? "");
  const microseconds = (ticks = 0): number => (ticks * 1_000_000) / TICKS_PER_SECOND;
  return {
    usage: Math.floor(usage / 1000),
    user: microseconds(times.get("user")),
    system: microseconds(times.get("system")),
    periods: stat.get("nr_periods") ?? 0,
    throttledPeriods: stat.get("nr_throttled") ?? 0,
    throttledTime: Math.floor((stat.get("throttled_time") ?? 0) / 1000),
  };
}

function v1Memory(read: FileReader): CgroupUsage["memory"] {
  const total = number(read("memory.usage_in_bytes"));
  if (total === null) return null;
  const stat = parseFlatKeyed(read("memory.stat") ?? "");
  return {
    usage: withoutInactive(total, stat.get("total_inactive_file")),
    total,
    peak: number(read("memory.max_usage_in_bytes")),
    anon: stat.get("total_rss") ?? 0,
    file: stat.get("total_cache") ?? 0,
    kernel: number(read("memory.kmem.usage_in_bytes")) ?? 0,
    swap: stat.get("total_swap") ?? null,
    limit: finite(parseLimit(read("memory.limit_in_bytes") ?? "-1")),
    oomKills: parseFlatKeyed(read("memory.oom_control") ?? "").get("oom_kill") ?? 0,
  };
}

function v1Io(bytes: string | undefined, operations: string | undefined): readonly DeviceUsage[] | null {
  if (bytes === undefined) return null;
  const devices = new Map<string, { readBytes: number; writeBytes: number; reads: number; writes: number }>();
  const collect = (text: string, read: "readBytes" | "reads", write: "writeBytes" | "writes"): void => {
    for (const line of text.split("\n")) {
      const [device = "", kind, value] = line.split(" ");
      if (kind !== "Read" && kind !== "Write") continue;
      const usage = devices.get(device) ?? { readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
      usage[kind === "Read" ? read : write] = Number(value);
      devices.set(device, usage);
    }
  };
  collect(bytes, "readBytes", "writeBytes");
  collect(operations ?? "", "reads", "writes");
  return [...devices].map(([device, usage]) => ({ device, ...usage }));
}
