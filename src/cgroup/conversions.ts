/**
 * The arithmetic between the OCI Spec's units, which are cgroup v1's, and what the files of cgroup v2 take. Pure. Wrong
 * arithmetic here would starve other processes or lift a limit unnoticed, so every function rejects what it cannot
 * represent, and the property tests prove that more asked for never yields less.
 */
import { RuntimeError } from "../errors.ts";

/** What the kernel's files call unlimited. */
export const UNLIMITED = "max";

/**
 * Every page counter's ceiling: LONG_MAX rounded down to pages of 4 KiB (include/linux/page_counter.h). v1 files
 * show it for "unlimited", and tools copy it into Specs.
 */
const PAGE_COUNTER_MAX = 2 ** 63 - 4096;

/** The kernel's bounds of a bandwidth period, in microseconds (kernel/sched/core.c, tg_set_cfs_bandwidth). */
const MIN_PERIOD = 1_000;
const MAX_PERIOD = 1_000_000;
/** The least quota, in microseconds. */
const MIN_QUOTA = 1_000;
/** The kernel's default period, and Docker's for `--cpus`. */
export const DEFAULT_PERIOD = 100_000;

/** Whole decimal digits, never an exponent: the kernel parses no floating point. */
export function formatInteger(value: number): string {
  return BigInt(value).toString();
}

/** A limit as cgroup v2 files take it. Negative, or at and above the counter's ceiling: unlimited. */
export function formatLimit(limit: number): string {
  return isUnlimited(limit) ? UNLIMITED : formatInteger(limit);
}

export function isUnlimited(limit: number): boolean {
  return limit < 0 || limit >= PAGE_COUNTER_MAX;
}

/** The number in a v2 limit file, or in a v1 one whose unlimited is −1 or the counter's ceiling; Infinity for no limit. */
export function parseLimit(text: string): number {
  const trimmed = text.trim();
  if (trimmed === UNLIMITED) return Infinity;
  const value = Number(trimmed);
  if (trimmed === "" || !Number.isInteger(value)) throw new Error(`not a cgroup limit: ${JSON.stringify(text)}`);
  return isUnlimited(value) ? Infinity : value;
}

/**
 * cpu.shares (2 to 262144, default 1024) → cpu.weight (1 to 10000, default 100). The quadratic through both ranges' ends
 * and both defaults that runc 1.3.2 and crun 2 use; the linear formula before it gave a container with default shares 39 % of its
 * due. The kernel clamps shares to their range, and so does this.
 */
export function cpuWeightFromShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  const exponent = (log * log + 125 * log) / 612 - 7 / 34;
  return Math.ceil(10 ** exponent);
}

/** cpu.weight → the largest cpu.shares that `cpuWeightFromShares` maps to it, or to the next smaller weight in use. */
export function cpuSharesFromWeight(weight: number): number {
  if (weight >= 10_000) return 262_144;
  let low = 2;
  let high = 262_143;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (cpuWeightFromShares(middle) <= weight) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** blkio.weight (10 to 1000) → io.weight (1 to 10000), linearly. RuntimeError INVALID_SPEC outside the range. */
export function ioWeightFromBlkio(weight: number): number {
  checkBlkioWeight(weight);
  return 1 + Math.floor(((weight - 10) * 9_999) / 990);
}

/** RuntimeError INVALID_SPEC unless 10 ≤ weight ≤ 1000. */
export function checkBlkioWeight(weight: number): void {
  if (!Number.isInteger(weight) || weight < 10 || weight > 1_000) {
    throw new RuntimeError("INVALID_SPEC", `Cannot use block I/O weight ${weight}: it must lie between 10 and 1000`);
  }
}

/** CPU bandwidth in microseconds; quota Infinity is unlimited. */
export interface Bandwidth {
  readonly quota: number;
  readonly period: number;
}

/**
 * Quota and period as given (either may be absent; a quota below 1 is unlimited, a period of 0 unset) over the present
 * ones. RuntimeError INVALID_SPEC outside the kernel's bounds.
 */
export function resolveBandwidth(
  asked: { readonly quota?: number | undefined; readonly period?: number | undefined },
  present: Bandwidth = { quota: Infinity, period: DEFAULT_PERIOD },
): Bandwidth {
  const period = asked.period === undefined || asked.period === 0 ? present.period : asked.period;
  const quota = asked.quota === undefined ? present.quota : asked.quota < 1 ? Infinity : asked.quota;
  if (!Number.isInteger(period) || period < MIN_PERIOD || period > MAX_PERIOD) {
    throw new RuntimeError(
      "INVALID_SPEC",
      `Cannot use CPU period ${period} µs: it must lie between ${MIN_PERIOD} and ${MAX_PERIOD}`,
    );
  }
  if (quota !== Infinity && (!Number.isSafeInteger(quota) || quota < MIN_QUOTA)) {
    throw new RuntimeError("INVALID_SPEC", `Cannot use CPU quota ${quota} µs: it must be at least ${MIN_QUOTA}`, {
      hint: `${MIN_QUOTA} µs of the default period of ${DEFAULT_PERIOD} µs are 0.01 CPUs`,
    });
  }
  return { quota, period };
}

/** The contents of cpu.max. */
export function formatCpuMax({ quota, period }: Bandwidth): string {
  return `${quota === Infinity ? UNLIMITED : formatInteger(quota)} ${formatInteger(period)}`;
}

/** Parses cpu.max. */
export function parseCpuMax(text: string): Bandwidth {
  const [quota = "", period = ""] = text.trim().split(" ");
  return { quota: parseLimit(quota), period: parseLimit(period) };
}

/** CPUs' worth of bandwidth. */
export function bandwidthCpus({ quota, period }: Bandwidth): number {
  return quota / period;
}

/** `--cpus`: so many CPUs' worth of each default period. RuntimeError INVALID_SPEC below 0.01. */
export function bandwidthFromCpus(cpus: number): Bandwidth {
  return resolveBandwidth({ quota: Math.max(1, Math.round(cpus * DEFAULT_PERIOD)), period: DEFAULT_PERIOD });
}

/**
 * Memory plus swap (v1, OCI) → swap alone (v2). `memory` is the memory limit in force. Undefined: leave the swap limit
 * alone. RuntimeError INVALID_SPEC when the sum is limited and memory is not, or the sum is smaller.
 */
export function swapFromTotal(total: number | undefined, memory: number | undefined): number | undefined {
  if (total === undefined || total === 0) return undefined;
  if (isUnlimited(total)) return -1;
  if (memory === undefined || memory === 0 || isUnlimited(memory)) {
    throw new RuntimeError("INVALID_SPEC", `Cannot limit memory and swap to ${total} bytes without a memory limit`, {
      hint: "--memory-swap is the sum of both: give --memory, too",
    });
  }
  if (total < memory) {
    throw new RuntimeError(
      "INVALID_SPEC",
      `Cannot limit memory and swap to ${total} bytes: the memory limit alone is ${memory}`,
      { hint: "--memory-swap is the sum of both; equal to --memory it allows no swap" },
    );
  }
  return total - memory;
}

/** Swap alone (v2) → memory plus swap (v1, OCI); Infinity where either is. */
export function totalFromSwap(swap: number, memory: number): number {
  return memory + swap;
}

/**
 * A CPU or memory node list (`0-2,5`) → its members, ascending. RuntimeError INVALID_SPEC for anything else. cpuset(7),
 * "List format".
 */
export function parseIdList(text: string): readonly number[] {
  const members = new Set<number>();
  for (const part of text.trim() === "" ? [] : text.trim().split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first) {
      throw new RuntimeError(
        "INVALID_SPEC",
        `Cannot read "${text}" as a list of CPUs or nodes: "${part}" is no range`,
        {
          hint: "write numbers and ranges as in 0-2,5",
        },
      );
    }
    for (let id = first; id <= last; id++) members.add(id);
  }
  return [...members].toSorted((a, b) => a - b);
}
