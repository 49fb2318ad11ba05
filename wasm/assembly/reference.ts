/**
 * The meaning of a filter as a diagram, made straight from the rules. It shares nothing with the compiler, so that a
 * mistake there cannot repeat itself here.
 */

import { ARCHITECTURE_WORD, Diagram, NUMBER_WORD, TRUE, variableOf } from "./diagram";
import { ArchitectureRules, CallRule, Clause, Comparison, EQ, GE, GT, LE, LT, NE, NumberRange } from "./records";

const ALL: u32 = 0xffffffff;

/** The word of `struct seccomp_data` where the arguments begin. */
const FIRST_ARGUMENT_WORD: i32 = 4;

export class Reference {
  private diagram: Diagram;

  constructor(diagram: Diagram) {
    this.diagram = diagram;
  }

  ofFilter(architectures: usize, count: u32, unknown: u32): i32 {
    const diagram = this.diagram;
    let result = diagram.action(unknown);
    for (let i: u32 = 0; i < count; i++) {
      const rules = changetype<ArchitectureRules>(architectures + i * offsetof<ArchitectureRules>());
      const meant = this.ofNumbers(rules, 31, 0, 0, rules.callCount, 0, rules.rangeCount);
      result = diagram.choose(diagram.equal(ARCHITECTURE_WORD, ALL, rules.auditArchitecture), meant, result);
    }
    return result;
  }

  /**
   * The numbers from `first` that differ in bits 0 to `position` alone. Only calls and ranges within the given bounds
   * can concern them.
   */
  private ofNumbers(
    rules: ArchitectureRules,
    position: i32,
    first: u32,
    firstCall: u32,
    endCall: u32,
    firstRange: u32,
    endRange: u32,
  ): i32 {
    const last = <u32>(<u64>first + ((<u64>1) << (position + 1)) - 1);
    while (firstCall < endCall && callAt(rules, firstCall).number < first) firstCall++;
    while (firstCall < endCall && callAt(rules, endCall - 1).number > last) endCall--;
    while (firstRange < endRange && rangeAt(rules, firstRange).last < first) firstRange++;
    while (firstRange < endRange && rangeAt(rules, endRange - 1).first > last) endRange--;
    if (firstCall == endCall) {
      if (firstRange == endRange) return this.diagram.action(rules.defaultAction);
      const range = rangeAt(rules, firstRange);
      if (range.first <= first && range.last >= last) return this.diagram.action(range.action);
    } else if (first == last) {
      return this.ofCall(callAt(rules, firstCall), rules.bigEndian);
    }
    const middle = first + (1 << position);
    return this.diagram.bit(
      variableOf(NUMBER_WORD, position),
      this.ofNumbers(rules, position - 1, first, firstCall, endCall, firstRange, endRange),
      this.ofNumbers(rules, position - 1, middle, firstCall, endCall, firstRange, endRange),
    );
  }

  private ofCall(rule: CallRule, bigEndian: bool): i32 {
    let result = this.diagram.action(rule.otherwise);
    for (let i = <i32>rule.clauseCount - 1; i >= 0; i--) {
      const clause = changetype<Clause>(rule.clauses + <usize>i * offsetof<Clause>());
      let holds = TRUE;
      for (let j: u32 = 0; j < clause.comparisonCount; j++) {
        const comparison = changetype<Comparison>(clause.comparisons + <usize>j * offsetof<Comparison>());
        holds = this.diagram.and(holds, this.ofComparison(comparison, rule.argumentBits == 64, bigEndian));
      }
      result = this.diagram.choose(holds, this.diagram.action(clause.action), result);
    }
    return result;
  }

  private ofComparison(comparison: Comparison, wide: bool, bigEndian: bool): i32 {
    const first = FIRST_ARGUMENT_WORD + ((<i32>comparison.index) << 1);
    const low = bigEndian ? first + 1 : first;
    const high = wide ? low ^ 1 : -1;
    const value = comparison.value;
    switch (comparison.operator) {
      case NE:
        return this.diagram.not(this.equal(low, high, u64.MAX_VALUE, value));
      case LT:
        return this.diagram.not(this.atLeast(low, high, value));
      case LE:
        return this.diagram.not(this.above(low, high, value));
      case EQ:
        return this.equal(low, high, u64.MAX_VALUE, value);
      case GE:
        return this.atLeast(low, high, value);
      case GT:
        return this.above(low, high, value);
      default:
        return this.equal(low, high, comparison.mask, value);
    }
  }

  private equal(low: i32, high: i32, mask: u64, value: u64): i32 {
    const lowEqual = this.diagram.equal(low, <u32>mask, <u32>value);
    if (high < 0) return lowEqual;
    return this.diagram.and(this.diagram.equal(high, <u32>(mask >> 32), <u32>(value >> 32)), lowEqual);
  }

  private atLeast(low: i32, high: i32, value: u64): i32 {
    const lowAtLeast = this.diagram.atLeast(low, ALL, <u32>value);
    return high < 0 ? lowAtLeast : this.byHighHalf(high, <u32>(value >> 32), lowAtLeast);
  }

  private above(low: i32, high: i32, value: u64): i32 {
    const lowAbove = this.diagram.above(low, ALL, <u32>value);
    return high < 0 ? lowAbove : this.byHighHalf(high, <u32>(value >> 32), lowAbove);
  }

  /** The high half decides unless it is equal. */
  private byHighHalf(high: i32, value: u32, whenEqual: i32): i32 {
    const equal = this.diagram.and(this.diagram.equal(high, ALL, value), whenEqual);
    return this.diagram.or(this.diagram.above(high, ALL, value), equal);
  }
}

function callAt(rules: ArchitectureRules, index: u32): CallRule {
  return changetype<CallRule>(rules.calls + index * offsetof<CallRule>());
}

function rangeAt(rules: ArchitectureRules, index: u32): NumberRange {
  return changetype<NumberRange>(rules.ranges + index * offsetof<NumberRange>());
}
