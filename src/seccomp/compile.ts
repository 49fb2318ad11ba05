/**
 * The one door to the compiler component. It loads the component when it is first needed, synchronously, lowers filters
 * into it, and turns its typed errors into `RuntimeError`. An instance that trapped is thrown away, the next call gets
 * a new one.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { RuntimeError } from "../errors.ts";
import type { ArchitectureRules, CallRule, Clause, ComparisonOperator, Filter } from "./filter.ts";
import type * as Wit from "../../wasm/generated/interfaces/pycri-seccomp-compiler.js";
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
}

export interface CompiledFilter {
  /** Packed `struct sock_filter[]`, little-endian. */
  readonly program: Uint8Array;
  readonly instructionCount: number;
}

/**
 * Compiles a filter to a BPF program.
 * @throws RuntimeError INVALID_PROFILE: rules that contradict the filter's own invariants, or a program above the
 * kernel's 4,096 instructions (`details.costliest` names the calls whose checks are longest)
 */
export function compileFilter(filter: Filter, options: CompileOptions = {}): CompiledFilter {
  const compiled = call(({ compiler }) => compiler.compile(lowerFilter(filter), lowerOptions(options)));
  return { program: compiled.program, instructionCount: compiled.measure.instructions };
}

/** The total that given weights are scaled to; the unit of `base-weight`. */
const WEIGHT_TOTAL = 1_000_000;

/** What every number weighs beside the given weights: 3 % of them for a table of 400 calls. */
const BASE_WEIGHT = 80;

function lowerOptions({ weights = "uniform", kernel = "bitmap" }: CompileOptions): Wit.CompileOptions {
  if (weights === "uniform") return { weights: [], baseWeight: 1, kernel };
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  return {
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
    if (isCompileError(error)) throw asRuntimeError(error);
    // A trap, or a host error in the middle of lowering: the instance's state is unknown.
    instance = undefined;
    throw error;
  }
}

function isCompileError(error: unknown): error is Wit.CompileError {
  return typeof error === "object" && error !== null && !(error instanceof Error) && "tag" in error;
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`;
}

function asRuntimeError(error: Wit.CompileError): RuntimeError {
  switch (error.tag) {
    case "invalid-filter": {
      const { flaw, architecture, number } = error.val;
      return new RuntimeError(
        "INVALID_PROFILE",
        `Cannot compile the filter: ${flaw.replaceAll("-", " ")} at call ${number} of architecture ${hexadecimal(architecture)}`,
        { details: error.val as Wit.InvalidFilter & Record<string, unknown> },
      );
    }
    case "too-large": {
      const { instructions, limit, costliest } = error.val;
      const calls = costliest.map((cost) => `${cost.number} (${cost.instructions} instructions)`).join(", ");
      return new RuntimeError(
        "INVALID_PROFILE",
        `Cannot compile the filter: it needs ${instructions} instructions and the kernel takes ${limit}`,
        {
          hint: `The argument checks of these calls are the longest: ${calls}`,
          details: error.val as Wit.TooLarge & Record<string, unknown>,
        },
      );
    }
  }
}
