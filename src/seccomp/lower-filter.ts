/** Filters and options as the component takes them: the records of `wasm/wit/seccomp.wit`. */

import { RuntimeError } from "../errors.ts";
import { type CompileOptions, REWRITES } from "./compilation.ts";
import type { ArchitectureRules, CallRule, Clause, ComparisonOperator, Filter } from "./filter.ts";
import type * as Wit from "../../wasm/generated/interfaces/pycri-seccomp-compiler.js";
import type * as WitTypes from "../../wasm/generated/interfaces/pycri-seccomp-types.js";

/** Diagram nodes that are made in a few milliseconds. */
const QUICK_BUDGET = 1 << 16;

/** As many as the component has memory for. */
export const FULL_BUDGET: number = 1 << 20;

/** The total that given weights are scaled to; the unit of `base-weight`. */
const WEIGHT_TOTAL = 1_000_000;

/** What every number weighs beside the given weights: 5 % of them for a table of 400 calls. */
const BASE_WEIGHT = 120;

/** Every number that the WIT type cannot hold is refused by the binding, with a TypeError. */
export function lowerOptions(options: CompileOptions): Wit.CompileOptions {
  const { weights = "uniform", kernel = "bitmap", verify, without = [] } = options;
  const rewrites = Object.fromEntries(REWRITES.map((name) => [name, !without.includes(name)])) as Wit.Rewrites;
  const proofBudget = verify === undefined ? QUICK_BUDGET : verify ? FULL_BUDGET : 0;
  if (weights === "uniform") return { weights: [], baseWeight: 1, kernel, rewrites, proofBudget };
  const wrong = weights.find(({ weight }) => !(weight > 0) || !Number.isFinite(weight));
  if (wrong !== undefined) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot compile with a weight of ${wrong.weight} for call ${wrong.number}: weights are positive numbers`,
    );
  }
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

export function lowerFilter(filter: Filter): WitTypes.Filter {
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
