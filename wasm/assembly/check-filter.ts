/**
 * Checks of a lowered filter: what the WIT types cannot say. After `checkFilter` returned NO_FLAW, every list lies in
 * memory and every rule means something.
 */

import { ArchitectureRules, CallRule, Clause, Comparison, MASKED_EQ, NumberRange } from "./records";
import { NO_FLAW } from "./check-program";
import { listFits } from "./memory";

/** `filter-flaw`, in the order of the WIT. */
const DUPLICATE_ARCHITECTURE: i32 = 0;
const UNORDERED_CALLS: i32 = 1;
const UNORDERED_RANGES: i32 = 2;
const ARGUMENT_INDEX: i32 = 3;
const ARGUMENT_BITS: i32 = 4;
export const MALFORMED: i32 = 5;
const TOO_MANY_ARCHITECTURES: i32 = 6;

/** Linux has some forty. */
const ARCHITECTURE_LIMIT: u32 = 256;

/** Where the flaw is; valid after a check that found one. */
export let flawArchitecture: u32 = 0;
export let flawNumber: u32 = 0;

export function checkFilter(architectures: usize, count: u32): i32 {
  flawArchitecture = 0;
  flawNumber = 0;
  if (!listFits(architectures, count, offsetof<ArchitectureRules>(), 4)) return MALFORMED;
  if (count > ARCHITECTURE_LIMIT) return TOO_MANY_ARCHITECTURES;
  for (let i: u32 = 0; i < count; i++) {
    const rules = changetype<ArchitectureRules>(architectures + i * offsetof<ArchitectureRules>());
    flawArchitecture = rules.auditArchitecture;
    flawNumber = 0;
    for (let j: u32 = 0; j < i; j++) {
      const other = changetype<ArchitectureRules>(architectures + j * offsetof<ArchitectureRules>());
      if (other.auditArchitecture == rules.auditArchitecture) return DUPLICATE_ARCHITECTURE;
    }
    const flaw = checkArchitecture(rules);
    if (flaw != NO_FLAW) return flaw;
  }
  return NO_FLAW;
}

function checkArchitecture(rules: ArchitectureRules): i32 {
  if (!listFits(rules.calls, rules.callCount, offsetof<CallRule>(), 4)) return MALFORMED;
  if (!listFits(rules.ranges, rules.rangeCount, offsetof<NumberRange>(), 4)) return MALFORMED;
  let previous: u32 = 0;
  for (let i: u32 = 0; i < rules.callCount; i++) {
    const rule = changetype<CallRule>(rules.calls + i * offsetof<CallRule>());
    flawNumber = rule.number;
    if (i > 0 && rule.number <= previous) return UNORDERED_CALLS;
    previous = rule.number;
    if (rule.argumentBits != 32 && rule.argumentBits != 64) return ARGUMENT_BITS;
    const flaw = checkClauses(rule);
    if (flaw != NO_FLAW) return flaw;
  }
  for (let i: u32 = 0; i < rules.rangeCount; i++) {
    const range = changetype<NumberRange>(rules.ranges + i * offsetof<NumberRange>());
    flawNumber = range.first;
    if (range.last < range.first || (i > 0 && range.first <= previous)) return UNORDERED_RANGES;
    previous = range.last;
  }
  return NO_FLAW;
}

function checkClauses(rule: CallRule): i32 {
  if (!listFits(rule.clauses, rule.clauseCount, offsetof<Clause>(), 4)) return MALFORMED;
  for (let i: u32 = 0; i < rule.clauseCount; i++) {
    const clause = changetype<Clause>(rule.clauses + i * offsetof<Clause>());
    if (!listFits(clause.comparisons, clause.comparisonCount, offsetof<Comparison>(), 8)) return MALFORMED;
    for (let j: u32 = 0; j < clause.comparisonCount; j++) {
      const comparison = changetype<Comparison>(clause.comparisons + j * offsetof<Comparison>());
      if (comparison.index > 5) return ARGUMENT_INDEX;
      if (comparison.operator > MASKED_EQ) return MALFORMED;
    }
  }
  return NO_FLAW;
}
