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

/** What every number weighs beside the given weights: 6 % of them for a table of 400 calls. */
const BASE_WEIGHT = 160;

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
    // What is out of order is for the component to refuse.
    if (!isAscending(rulesOf)) {
      return { ...rulesOf, calls: rulesOf.calls.map(lowerCall), ranges: [...rulesOf.ranges] };
    }
    const checked = rulesOf.calls.filter(({ clauses }) => clauses.length > 0);
    return { ...rulesOf, calls: checked.map(lowerCall), ranges: mergeConstants(rulesOf) };
  };
  return {
    architectures: filter.architectures.map(lowerArchitecture),
    unknownArchitecture: filter.unknownArchitecture,
  };
}

function isAscending({ calls, ranges }: ArchitectureRules): boolean {
  let next = 0;
  for (const { number } of calls) {
    if (!(number >= next)) return false;
    next = number + 1;
  }
  next = 0;
  for (const { first, last } of ranges) {
    if (!(first >= next && last >= first)) return false;
    next = last + 1;
  }
  return true;
}

/**
 * Calls with a constant outcome and the ranges around them, as few ranges: lowering them one by one is most of what a
 * compilation costs in a process that has just begun. That process interprets this loop, too, so it is a plain one.
 */
function mergeConstants({ calls, ranges }: ArchitectureRules): WitTypes.NumberRange[] {
  const merged: WitTypes.NumberRange[] = [];
  let latest: WitTypes.NumberRange | undefined;
  const add = (first: number, last: number, action: number): void => {
    if (latest !== undefined && latest.last + 1 === first && latest.action === action) latest.last = last;
    else merged.push((latest = { first, last, action }));
  };
  /** What is said of the numbers below is in `merged`. */
  let position = 0;
  let at = 0;
  let range = ranges[0];
  /** Adds what the ranges say of the numbers from `position` to before `end`. */
  const fill = (end: number): void => {
    for (; range !== undefined && range.first < end; range = ranges[++at]) {
      const { first, last, action } = range;
      const begin = first > position ? first : position;
      const stop = last < end ? last : end - 1;
      if (begin <= stop) add(begin, stop, action);
      if (last >= end) return;
    }
  };
  for (const { number, clauses, otherwise } of calls) {
    if (clauses.length > 0) continue;
    if (range !== undefined && range.first < number) fill(number);
    add(number, number, otherwise);
    position = number + 1;
  }
  fill(Number.POSITIVE_INFINITY);
  return merged;
}
