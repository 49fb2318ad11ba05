/**
 * The filter intermediate representation: what a profile means once every name is a number and every condition on the
 * host (capabilities, kernel version, architectures) is decided. `evaluate.ts` is its reference meaning, the component
 * compiles it, `prove` compares a program with it. Everything here is plain data that crosses the component's boundary.
 */

/** The operators of `linux.seccomp.syscalls[].args[].op`, in libseccomp's order. Unsigned comparisons. */
export type ComparisonOperator = "NE" | "LT" | "LE" | "EQ" | "GE" | "GT" | "MASKED_EQ";

export interface Comparison {
  /** Argument index, 0 to 5. */
  readonly index: number;
  readonly operator: ComparisonOperator;
  /** Unsigned 64-bit datum. For MASKED_EQ the datum, already masked. */
  readonly value: bigint;
  /** Unsigned 64-bit mask of MASKED_EQ; all ones otherwise. */
  readonly mask: bigint;
}

/** Comparisons that must all hold, and the value the filter then returns. */
export interface Clause {
  readonly comparisons: readonly Comparison[];
  /** SECCOMP_RET_* with its 16 data bits, unsigned 32-bit. */
  readonly action: number;
}

/** One system call number whose outcome is its own. */
export interface CallRule {
  /** `seccomp_data.nr` as unsigned 32-bit (x32 calls carry bit 30). */
  readonly number: number;
  /** Bits of each argument that are compared: 32 on x86, x32 and other 32-bit architectures, else 64. */
  readonly argumentBits: 32 | 64;
  /** First match in order wins. Empty for a constant outcome. */
  readonly clauses: readonly Clause[];
  /** The outcome when no clause matches. */
  readonly otherwise: number;
}

/** A run of call numbers with a constant outcome: ENOSYS above the newest known call, x32 refused … */
export interface NumberRange {
  /** Inclusive, unsigned 32-bit. */
  readonly first: number;
  readonly last: number;
  readonly action: number;
}

export interface ArchitectureRules {
  /** AUDIT_ARCH_*, unsigned 32-bit. At most once in a filter. */
  readonly auditArchitecture: number;
  /** Big-endian architectures have the high word of an argument first in `seccomp_data`. */
  readonly bigEndian: boolean;
  /** Sorted by number, unique. */
  readonly calls: readonly CallRule[];
  /** Sorted, disjoint, may contain numbers that `calls` lists (a call rule wins). */
  readonly ranges: readonly NumberRange[];
  /** The outcome of every other number. */
  readonly defaultAction: number;
}

export interface Filter {
  readonly architectures: readonly ArchitectureRules[];
  /** The outcome for an architecture that is not listed; KILL_THREAD for libseccomp and runc. */
  readonly unknownArchitecture: number;
}

/** `struct seccomp_data`: what a filter decides on. */
export interface SeccompData {
  readonly number: number;
  readonly architecture: number;
  readonly instructionPointer: bigint;
  /** Six unsigned 64-bit arguments. */
  readonly args: readonly [bigint, bigint, bigint, bigint, bigint, bigint];
}
