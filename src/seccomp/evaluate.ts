/**
 * The reference meaning of a filter: what the kernel must answer for a call, said as plainly as possible. The compiler,
 * the prover and every test are measured against this function, so nothing here is clever or fast.
 */

import type { ArchitectureRules, CallRule, Clause, Comparison, Filter, SeccompData } from "./filter.ts";

/** The SECCOMP_RET_* value that `filter` means for a call. */
export function evaluate(filter: Filter, data: SeccompData): number {
  const rules = filter.architectures.find(({ auditArchitecture }) => auditArchitecture === data.architecture);
  return rules === undefined ? filter.unknownArchitecture : evaluateArchitecture(rules, data);
}

function evaluateArchitecture(rules: ArchitectureRules, data: SeccompData): number {
  const call = rules.calls.find(({ number }) => number === data.number);
  if (call !== undefined) {
    return call.clauses.find((clause) => clauseHolds(clause, call, data))?.action ?? call.otherwise;
  }
  const range = rules.ranges.find(({ first, last }) => first <= data.number && data.number <= last);
  return range?.action ?? rules.defaultAction;
}

function clauseHolds(clause: Clause, call: CallRule, data: SeccompData): boolean {
  return clause.comparisons.every((comparison) => comparisonHolds(comparison, call.argumentBits, data));
}

/** Argument, value and mask are all cut to the compared bits first: a 32-bit architecture has no higher ones. */
function comparisonHolds({ index, operator, value, mask }: Comparison, bits: 32 | 64, data: SeccompData): boolean {
  const argument = BigInt.asUintN(bits, data.args[index] ?? 0n);
  const datum = BigInt.asUintN(bits, value);
  switch (operator) {
    case "NE":
      return argument !== datum;
    case "LT":
      return argument < datum;
    case "LE":
      return argument <= datum;
    case "EQ":
      return argument === datum;
    case "GE":
      return argument >= datum;
    case "GT":
      return argument > datum;
    case "MASKED_EQ":
      return (argument & mask) === datum;
  }
}
