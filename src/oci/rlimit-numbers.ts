/**
 * POSIX resource limits by their OCI names (getrlimit(2); asm-generic numbers, which x86, arm and riscv share).
 */

const NUMBERS: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

export const RLIMIT_NAMES: readonly string[] = Object.keys(NUMBERS);

/** RLIM_INFINITY. */
export const RLIM_INFINITY: bigint = (1n << 64n) - 1n;

/** The number of a limit by its OCI name; undefined for an unknown one. */
export function rlimitNumber(name: string): number | undefined {
  return Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
}
