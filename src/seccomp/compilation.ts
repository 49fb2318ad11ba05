/** What is asked of the compiler, the prover and the analyser, and what they answer. */

import type { SeccompData } from "./filter.ts";
import type { Rewrites } from "../../wasm/generated/interfaces/pycri-seccomp-compiler.js";

/** How often a call is made; see `CompileOptions.weights`. */
export interface CallWeight {
  /** AUDIT_ARCH_*. */
  readonly architecture: number;
  /** As `seccomp_data.nr`. */
  readonly number: number;
  /** Positive, in any unit common to all weights: a count, a share. */
  readonly weight: number;
}

export interface CompileOptions {
  /** What the program is made fast for. `uniform`: every listed call is as likely as any other. */
  readonly weights?: readonly CallWeight[] | "uniform";
  /**
   * `bitmap` (the default): Linux 5.11 or newer, where a constant ALLOW costs nothing, so that weights count for calls
   * that run the filter. `interpreter`: every call runs it.
   */
  readonly kernel?: "bitmap" | "interpreter";
  /**
   * Whether the component proves what it emits. By default it does where that takes a few milliseconds, which is for
   * every usual filter; `true` spends as much as it takes.
   */
  readonly verify?: boolean;
  /** The compiler's improvements to leave out, for experiments and tests; see `REWRITES`. */
  readonly without?: readonly Rewrite[];
}

/** The compiler's improvements in the order in which they are applied, as the WIT documents them. */
export const REWRITES: readonly Rewrite[] = [
  "orderComparisons",
  "dropSettled",
  "lowHalvesFirst",
  "searchConstants",
  "separateX32",
  "favourDeep",
  "numberLists",
  "hotNumbers",
  "repeatTests",
];

export type Rewrite = keyof Rewrites;

/** Executed instructions, over the calls that the filter lists. */
export interface Measure {
  /** On average over the weights that the program was made for. Argument checks count with their mean depth. */
  readonly weighted: number;
  /** On average over all listed calls. */
  readonly uniform: number;
  /** On the longest path. */
  readonly worst: number;
}

export interface CompiledFilter {
  /** Packed `struct sock_filter[]`, little-endian. */
  readonly program: Uint8Array;
  readonly instructionCount: number;
  readonly measure: Measure;
  /** Whether the program was proved to answer every call as the filter means it. */
  readonly proven: boolean;
}

/** A call that a program answers otherwise than the filter means it. */
export interface CounterExample {
  readonly data: SeccompData;
  readonly expected: number;
  readonly actual: number;
}

export type Verdict =
  | { readonly verdict: "proven" }
  | { readonly verdict: "refuted"; readonly counterExample: CounterExample }
  /** `instruction` computes something too involved; null: the budget is spent. */
  | { readonly verdict: "undecided"; readonly instruction: number | null };

/** The outcome of consecutive call numbers. */
export interface NumberOutcome {
  readonly first: number;
  readonly last: number;
  /** Every action that the calls can be answered with; only one if arguments do not matter. */
  readonly actions: readonly number[];
  /** Since Linux 5.11 the kernel answers these calls from its bitmap: they cost nothing. */
  readonly cached: boolean;
}

export interface ArchitectureOutcomes {
  readonly architecture: number;
  /** All numbers from 0 to 2³²−1, in order. */
  readonly outcomes: readonly NumberOutcome[];
  /** Instructions that the kernel emulates to fill the bitmap when the filter is attached. */
  readonly attachInstructions: number;
}
