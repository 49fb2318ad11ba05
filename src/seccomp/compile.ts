/**
 * The one door to the compiler component. It loads the component when it is first needed, synchronously, lowers filters
 * into it, and turns its typed errors into `RuntimeError`. An instance that trapped is thrown away, the next call gets
 * a new one.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { RuntimeError } from "../errors.ts";
import { evaluate } from "./evaluate.ts";
import type { ArchitectureRules, CallRule, Clause, ComparisonOperator, Filter, SeccompData } from "./filter.ts";
import { type Execution, prepareProgram, simulate } from "./simulate.ts";
import type * as WitAnalyser from "../../wasm/generated/interfaces/pycri-seccomp-analyser.js";
import type * as Wit from "../../wasm/generated/interfaces/pycri-seccomp-compiler.js";
import type * as WitProver from "../../wasm/generated/interfaces/pycri-seccomp-prover.js";
import type * as WitTypes from "../../wasm/generated/interfaces/pycri-seccomp-types.js";
import type { Root } from "../../wasm/generated/seccomp.js";

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

export type Rewrite = keyof Wit.Rewrites;

/** The compiler's improvements in the order in which they are applied, as the WIT documents them. */
export const REWRITES: readonly Rewrite[] = [
  "orderComparisons",
  "dropSettled",
  "lowHalvesFirst",
  "searchConstants",
  "separateX32",
  "favourDeep",
  "numberLists",
];

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

/** Diagram nodes that are made in a few milliseconds. */
const QUICK_BUDGET = 1 << 16;

/** As many as the component has memory for. */
const FULL_BUDGET = 1 << 20;

/**
 * Compiles a filter to a BPF program.
 * @throws RuntimeError INVALID_PROFILE: rules that contradict the filter's own invariants, or a program above the
 * kernel's 4,096 instructions (`details.costliest` names the calls whose checks are longest)
 */
export function compileFilter(filter: Filter, options: CompileOptions = {}): CompiledFilter {
  const { program, measure, proven } = call(({ compiler }) =>
    compiler.compile(lowerFilter(filter), lowerOptions(options)),
  );
  const { instructions, weighted, uniform, worst } = measure;
  return { program, instructionCount: instructions, measure: { weighted, uniform, worst }, proven };
}

/**
 * Compares a program, whoever compiled it, with the meaning of a filter, for every possible call.
 * @param program packed little-endian `struct sock_filter[]`
 * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse
 */
export function proveFilter(filter: Filter, program: Uint8Array): Verdict {
  let verdict: WitProver.Verdict;
  try {
    verdict = call(({ prover }) => prover.prove(program, lowerFilter(filter), FULL_BUDGET));
  } catch (error) {
    if (error instanceof Undecided) return { verdict: "undecided", instruction: error.instruction };
    throw error;
  }
  if (verdict.tag === "proven") return { verdict: "proven" };
  return { verdict: "refuted", counterExample: recheck(filter, program, verdict.val) };
}

/**
 * The outcome of every call of a program.
 * @param architectures AUDIT_ARCH_* to report
 * @param tableSize how many numbers the kernel's call table has, of which the bitmap keeps one bit each
 * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse, or one too involved to follow
 */
export function analyseProgram(
  program: Uint8Array,
  architectures: readonly number[],
  tableSize: number = CALL_TABLE_SIZE,
): readonly ArchitectureOutcomes[] {
  const tables = architectures.map((architecture) => ({ architecture, size: tableSize }));
  try {
    return call(({ analyser }) => analyser.analyse(program, tables, FULL_BUDGET)).map(
      ({ architecture, outcomes, attachInstructions }) => ({
        architecture,
        outcomes: outcomes.map(({ first, last, actions, cached }) => ({ first, last, actions: [...actions], cached })),
        attachInstructions: Number(attachInstructions),
      }),
    );
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot analyse the BPF program: ${error.message}`, { cause: error });
  }
}

/** Numbers that a kernel of today has in the tables that its bitmap covers, rounded up. */
const CALL_TABLE_SIZE = 480;

/** What `filter` costs once compiled: compiles it and analyses the program for each of its architectures. */
export function analyseFilter(filter: Filter, options: CompileOptions = {}): readonly ArchitectureOutcomes[] {
  const { program } = compileFilter(filter, options);
  return analyseProgram(
    program,
    filter.architectures.map(({ auditArchitecture }) => auditArchitecture),
  );
}

/** A program's text, one line an instruction, as the component writes it. */
export function disassembleInComponent(program: Uint8Array): readonly string[] {
  return call(({ disassembler }) => disassembler.disassemble(program));
}

/** Runs a program in the component. `calls`: packed `struct seccomp_data`. */
export function simulateInComponent(program: Uint8Array, calls: Uint8Array): readonly Execution[] {
  return call(({ simulator }) => simulator.simulate(program, calls));
}

/** A counter-example is only worth something if the reference and the interpreter agree that it is one. */
function recheck(filter: Filter, program: Uint8Array, found: WitTypes.CounterExample): CounterExample {
  const { number, architecture, instructionPointer, arguments: args } = found.call;
  const data: SeccompData = { number, architecture, instructionPointer, args };
  const bigEndian = filter.architectures.some((rules) => rules.auditArchitecture === architecture && rules.bigEndian);
  const { action } = simulate(prepareProgram(program), data, bigEndian);
  if (evaluate(filter, data) !== found.expected || action !== found.actual) {
    throw new Error(`the prover's counter-example does not hold: call ${number} of ${hexadecimal(architecture)}`);
  }
  return { data, expected: found.expected, actual: found.actual };
}

/** The total that given weights are scaled to; the unit of `base-weight`. */
const WEIGHT_TOTAL = 1_000_000;

/** What every number weighs beside the given weights: 3 % of them for a table of 400 calls. */
const BASE_WEIGHT = 80;

function lowerOptions(options: CompileOptions): Wit.CompileOptions {
  const { weights = "uniform", kernel = "bitmap", verify, without = [] } = options;
  const rewrites = Object.fromEntries(REWRITES.map((name) => [name, !without.includes(name)])) as Wit.Rewrites;
  const proofBudget = verify === undefined ? QUICK_BUDGET : verify ? FULL_BUDGET : 0;
  if (weights === "uniform") return { weights: [], baseWeight: 1, kernel, rewrites, proofBudget };
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  return {
    rewrites,
    proofBudget,
    weights: weights.map(({ architecture, number, weight }) => ({
      architecture,
      number,
      weight: Math.round((weight / total) * WEIGHT_TOTAL),
    })),
    baseWeight: BASE_WEIGHT,
    kernel,
  };
}

const OPERATORS = {
  NE: "ne",
  LT: "lt",
  LE: "le",
  EQ: "eq",
  GE: "ge",
  GT: "gt",
  MASKED_EQ: "masked-eq",
} as const satisfies Record<ComparisonOperator, WitTypes.ComparisonOperator>;

/** Above this many comparisons, clauses, calls and ranges no filter can fit the kernel's limit. */
const RULE_LIMIT = 100_000;

const NO_CLAUSES: WitTypes.Clause[] = [];

function lowerFilter(filter: Filter): WitTypes.Filter {
  let rules = 0;
  const count = (added: number): void => {
    rules += added;
    if (rules > RULE_LIMIT) {
      throw new RuntimeError("INVALID_PROFILE", `Cannot compile the filter: it has more than ${RULE_LIMIT} rules`);
    }
  };
  const lowerClause = ({ comparisons, action }: Clause): WitTypes.Clause => {
    count(comparisons.length + 1);
    return {
      comparisons: comparisons.map(({ index, operator, value, mask }) => ({
        index,
        operator: OPERATORS[operator],
        value,
        mask,
      })),
      action,
    };
  };
  const lowerCall = ({ number, argumentBits, clauses, otherwise }: CallRule): WitTypes.CallRule => ({
    number,
    argumentBits,
    clauses: clauses.length === 0 ? NO_CLAUSES : clauses.map(lowerClause),
    otherwise,
  });
  const lowerArchitecture = (rulesOf: ArchitectureRules): WitTypes.ArchitectureRules => {
    count(rulesOf.calls.length + rulesOf.ranges.length);
    return { ...rulesOf, calls: rulesOf.calls.map(lowerCall), ranges: [...rulesOf.ranges] };
  };
  return {
    architectures: filter.architectures.map(lowerArchitecture),
    unknownArchitecture: filter.unknownArchitecture,
  };
}

interface ComponentModule {
  instantiateComponent(): Root;
}

/** Beside the bundle that this file becomes part of, or as seen from `build/src/seccomp/`. */
const LOCATIONS = ["seccomp-component.cjs", "../../../dist/seccomp-component.cjs"];

function loadComponent(): ComponentModule {
  const require = createRequire(import.meta.filename);
  const location = LOCATIONS.map((path) => `${import.meta.dirname}/${path}`).find(existsSync);
  if (location === undefined) throw new Error("the compiler component is not built");
  return require(location) as ComponentModule;
}

let module: ComponentModule | undefined;
let instance: Root | undefined;

function call<T>(use: (component: Root) => T): T {
  module ??= loadComponent();
  instance ??= module.instantiateComponent();
  try {
    return use(instance);
  } catch (error) {
    if (isComponentError(error)) throw asError(error);
    // A trap, or a host error in the middle of lowering: the instance's state is unknown.
    instance = undefined;
    throw error;
  }
}

type ComponentError =
  | Wit.CompileError
  | WitProver.ProveError
  | WitAnalyser.AnalyseError
  /** The simulator and the disassembler have no other error. */
  | (WitTypes.ProgramFlaw & { readonly tag?: undefined });

function isComponentError(error: unknown): error is ComponentError {
  return typeof error === "object" && error !== null && !(error instanceof Error);
}

/** The prover's third answer on its way to the caller. */
class Undecided extends Error {
  readonly instruction: number | null;

  constructor(instruction: number | null) {
    super(
      instruction === null ? "its diagram is too large" : `instruction ${instruction} computes something too involved`,
    );
    this.instruction = instruction;
  }
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`;
}

function asError(error: ComponentError): Error {
  switch (error.tag) {
    case "invalid-filter": {
      const { flaw, architecture, number } = error.val;
      const place = `call ${number} of architecture ${hexadecimal(architecture)}`;
      return new RuntimeError(
        "INVALID_PROFILE",
        `Cannot compile the filter: ${flaw.replaceAll("-", " ")} at ${place}`,
        {
          details: { ...error.val },
        },
      );
    }
    case "too-large": {
      const { instructions, limit, costliest } = error.val;
      const calls = costliest.map(
        (cost) => `${cost.number} of ${hexadecimal(cost.architecture)} (${cost.instructions} instructions)`,
      );
      return new RuntimeError(
        "INVALID_PROFILE",
        `Cannot compile the filter: it needs at least ${instructions} instructions and the kernel takes ${limit}`,
        {
          hint: `The argument checks of these calls are the longest: ${calls.join(", ")}`,
          details: { ...error.val },
        },
      );
    }
    case "miscompiled":
      return new Error(`the compiler made a wrong program, please report it: call ${error.val.call.number}`);
    case "undecided":
      return new Undecided(error.val.instruction ?? null);
    case "invalid-program":
      return invalidProgram(error.val);
    case undefined:
      return invalidProgram(error);
  }
}

function invalidProgram({ reason, instruction }: WitTypes.ProgramFlaw): RuntimeError {
  return new RuntimeError(
    "INVALID_DOCUMENT",
    `Cannot use the BPF program: instruction ${instruction} is invalid (${reason})`,
    { details: { reason, instruction } },
  );
}
