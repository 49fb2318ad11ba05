/** `--ulimit` and the cgroup options: text to `RlimitRequest` and `ResourceRequest`. Pure. */

import type { ResourceRequest, RlimitRequest } from "../../plan/run-request.ts";
import { invalidValue } from "./invalid-value.ts";
import { parseDecimal, parseInteger, parseLimit, parseSize } from "./numbers.ts";

/** Names of `--ulimit`: getrlimit(2)'s without RLIMIT_. */
export const ULIMIT_NAMES: readonly string[] = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** `NAME=SOFT[:HARD]`; HARD defaults to SOFT; −1 and `unlimited` are RLIM_INFINITY. */
export function parseUlimit(value: string): RlimitRequest {
  const match = /^(?:RLIMIT_)?([A-Za-z]+)=([^:]+)(?::(.+))?$/.exec(value);
  const name = (match?.[1] ?? "").toLowerCase();
  if (match === null || !ULIMIT_NAMES.includes(name)) {
    throw invalidValue("--ulimit", value, `write NAME=SOFT[:HARD], NAME one of: ${ULIMIT_NAMES.join(", ")}`);
  }
  const soft = parseRlimitValue(match[2] ?? "");
  const hard = match[3] === undefined ? soft : parseRlimitValue(match[3]);
  if (hard !== null && (soft === null || soft > hard)) {
    throw invalidValue("--ulimit", value, "the soft limit is at most the hard one");
  }
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function parseRlimitValue(text: string): number | null {
  if (text === "-1" || text === "unlimited") return null;
  return parseInteger("--ulimit", text, 0, Number.MAX_SAFE_INTEGER);
}

/** Cgroup limits as options give them: numbers, or text with units. */
export interface ResourceOptions {
  /** Bytes, or a percentage (`50%`) of what the host and the cgroups above allow. */
  readonly memory?: string | number;
  readonly memorySwap?: string | number;
  readonly memoryReservation?: string | number;
  readonly memoryHigh?: string | number;
  /** 0 to 100; cgroup v1 only. */
  readonly memorySwappiness?: string | number;
  readonly oomKillDisable?: boolean;
  readonly oomGroup?: boolean;
  /** Processors, fractions allowed: short for quota and period. Or a percentage. */
  readonly cpus?: string | number;
  /** Microseconds. */
  readonly cpuQuota?: string | number;
  readonly cpuPeriod?: string | number;
  readonly cpuBurst?: string | number;
  readonly cpuShares?: string | number;
  readonly cpuIdle?: boolean;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** Tasks, or a percentage. */
  readonly pidsLimit?: string | number;
  readonly blkioWeight?: string | number;
  /** `PATH:WEIGHT`. */
  readonly blkioWeightDevice?: readonly string[];
  /** `PATH:RATE`. */
  readonly deviceReadBps?: readonly string[];
  readonly deviceWriteBps?: readonly string[];
  readonly deviceReadIops?: readonly string[];
  readonly deviceWriteIops?: readonly string[];
  /** `PAGE:SIZE`. */
  readonly hugepageLimits?: readonly string[];
  /** `FILE=VALUE`: files of cgroup v2, written as they are. */
  readonly cgroupConf?: readonly string[];
}

/** The kernel's default bandwidth period, sched/fair.c. */
const CPU_PERIOD = 100_000;
/** Below a millisecond the kernel refuses a quota. */
const LEAST_QUOTA = 1_000;

/**
 * Limits that were not given stay absent; 0 means unlimited, as with Docker. `update`: for a container that runs, whose
 * memory limit --memory-swap may go with.
 */
export function parseResources(options: ResourceOptions, purpose: "run" | "update" = "run"): ResourceRequest {
  const most = Number.MAX_SAFE_INTEGER;

  const percent = withoutUndefined({
    memory: percentage("--memory", options.memory),
    cpus: percentage("--cpus", options.cpus),
    pids: percentage("--pids-limit", options.pidsLimit),
  });
  const memory = percent.memory === undefined ? limit("--memory", options.memory) : undefined;
  const memorySwap = limit("--memory-swap", options.memorySwap);
  // With a percentage the sum is compared when its bytes are known.
  const known = percent.memory === undefined && (purpose === "run" || memory !== undefined);
  if (
    known &&
    memorySwap !== undefined &&
    memorySwap !== -1 &&
    (memory === undefined || memory === -1 || memorySwap < memory)
  ) {
    const hint = "it counts memory and swap together: give --memory, too, and at least as much";
    throw invalidValue("--memory-swap", String(options.memorySwap), hint);
  }
  const bandwidth = parseBandwidth(options, percent.cpus !== undefined);
  const pids = percent.pids === undefined ? whole("--pids-limit", options.pidsLimit, -1, most) : undefined;

  return withoutUndefined({
    percent: Object.keys(percent).length === 0 ? undefined : percent,
    memory,
    memorySwap,
    memoryReservation: limit("--memory-reservation", options.memoryReservation),
    memoryHigh: limit("--memory-high", options.memoryHigh),
    memorySwappiness: whole("--memory-swappiness", options.memorySwappiness, 0, 100),
    oomKillDisable: options.oomKillDisable,
    oomGroup: options.oomGroup,
    ...bandwidth,
    cpuBurst: whole("--cpu-burst", options.cpuBurst, 0, most),
    cpuShares: whole("--cpu-shares", options.cpuShares, 0, 262_144) || undefined,
    cpuIdle: options.cpuIdle,
    cpusetCpus: parseList("--cpuset-cpus", options.cpusetCpus),
    cpusetMems: parseList("--cpuset-mems", options.cpusetMems),
    pidsLimit: pids === 0 ? -1 : pids,
    blkioWeight: whole("--blkio-weight", options.blkioWeight, 0, 1000) || undefined,
    blkioWeightDevice: options.blkioWeightDevice?.map((value) => {
      const { path, text } = splitDevice("--blkio-weight-device", value);
      return { path, weight: parseInteger("--blkio-weight-device", text, 10, 1000) };
    }),
    deviceReadBps: rates("--device-read-bps", options.deviceReadBps, parseSize),
    deviceWriteBps: rates("--device-write-bps", options.deviceWriteBps, parseSize),
    deviceReadIops: rates("--device-read-iops", options.deviceReadIops, parseOperations),
    deviceWriteIops: rates("--device-write-iops", options.deviceWriteIops, parseOperations),
    hugepageLimits: options.hugepageLimits?.map(parseHugepageLimit),
    unified: options.cgroupConf === undefined ? undefined : Object.fromEntries(options.cgroupConf.map(parseConf)),
  });
}

/** `50%` → 50; undefined for anything that is no percentage. */
function percentage(option: string, value: string | number | undefined): number | undefined {
  if (typeof value !== "string" || !value.endsWith("%")) return undefined;
  const share = /^\d+(\.\d+)?%$/.test(value) ? Number(value.slice(0, -1)) : NaN;
  if (!(share > 0 && share <= 100)) throw invalidValue(option, value, "a percentage is above 0 and at most 100");
  return share;
}

function parseHugepageLimit(value: string): { readonly pageSize: string; readonly limit: number } {
  const match = /^([1-9]\d*[KMG]B):(.+)$/.exec(value);
  if (match === null) throw invalidValue("--hugepage-limit", value, "write PAGE:SIZE, e.g. 2MB:64m");
  return { pageSize: match[1] ?? "", limit: parseLimit("--hugepage-limit", match[2] ?? "") };
}

/** `memory.high=1024` → its file and contents; the managers check the name. */
function parseConf(value: string): readonly [string, string] {
  const equals = value.indexOf("=");
  if (equals < 1) throw invalidValue("--cgroup-conf", value, "write FILE=VALUE, e.g. memory.high=1073741824");
  return [value.slice(0, equals), value.slice(equals + 1)];
}

function limit(option: string, value: string | number | undefined): number | undefined {
  const bytes = value === undefined ? undefined : parseLimit(option, value);
  return bytes === 0 ? undefined : bytes;
}

function whole(option: string, value: string | number | undefined, least: number, most: number): number | undefined {
  return value === undefined ? undefined : parseInteger(option, value, least, most);
}

function parseBandwidth(
  options: ResourceOptions,
  isPercentage: boolean,
): Pick<ResourceRequest, "cpuQuota" | "cpuPeriod"> {
  if (options.cpus !== undefined) {
    if (options.cpuQuota !== undefined || options.cpuPeriod !== undefined) {
      throw invalidValue("--cpus", String(options.cpus), "give --cpus, or --cpu-quota with --cpu-period, not both");
    }
    if (isPercentage) return {};
    const cpus = parseDecimal("--cpus", options.cpus);
    if (cpus === 0) return {};
    const cpuQuota = Math.round(cpus * CPU_PERIOD);
    if (cpuQuota < LEAST_QUOTA) throw invalidValue("--cpus", String(options.cpus), "at least 0.01 processors");
    return { cpuQuota, cpuPeriod: CPU_PERIOD };
  }
  const quota = options.cpuQuota === undefined ? 0 : parseInteger("--cpu-quota", options.cpuQuota, -1, 1e12);
  if (quota > 0 && quota < LEAST_QUOTA) {
    throw invalidValue("--cpu-quota", String(options.cpuQuota), "at least 1000 microseconds, or -1 for no limit");
  }
  const period =
    options.cpuPeriod === undefined ? 0 : parseInteger("--cpu-period", options.cpuPeriod, 1_000, 1_000_000);
  return { ...(quota === 0 ? {} : { cpuQuota: quota }), ...(period === 0 ? {} : { cpuPeriod: period }) };
}

/** A list of CPUs or memory nodes: `0-3,5` (cpuset(7), "List format"). */
function parseList(option: string, value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(value)) throw invalidValue(option, value, "write a list such as 0-3,5");
  return value;
}

function parseOperations(option: string, value: string): number {
  return parseInteger(option, value, 0, Number.MAX_SAFE_INTEGER);
}

function rates(
  option: string,
  values: readonly string[] | undefined,
  parse: (option: string, text: string) => number,
): { readonly path: string; readonly rate: number }[] | undefined {
  return values?.map((value) => {
    const { path, text } = splitDevice(option, value);
    return { path, rate: parse(option, text) };
  });
}

function splitDevice(option: string, value: string): { readonly path: string; readonly text: string } {
  const colon = value.lastIndexOf(":");
  const path = value.slice(0, Math.max(0, colon));
  if (!path.startsWith("/")) throw invalidValue(option, value, "write DEVICE:VALUE, e.g. /dev/sda:1mb");
  return { path, text: value.slice(colon + 1) };
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}
