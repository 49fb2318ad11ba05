/**
 * Argument checks as decisions, before it is settled when a word is loaded: an acyclic graph over the 32-bit words of
 * the six arguments, with equal nodes shared. A clause becomes a chain of decisions that ends in its action and falls
 * to the next clause wherever one of its comparisons fails.
 */

import { CallRule, Clause, Comparison, EQ, GE, GT, LE, LT, MASKED_EQ, NE } from "./records";
import { grown, NONE } from "./instruction-graph";

/** A decision's test on `word & mask`. */
export const OUTCOME: u8 = 0;
export const IS: u8 = 1;
export const AT_LEAST: u8 = 2;
/** Any bit of the mask is set. */
export const ANY: u8 = 3;

const ALL: u32 = 0xffffffff;
const INITIAL_CAPACITY: i32 = 256;

/** More decisions than this about one filter cannot fit a program. */
const MAXIMUM_DECISIONS: i32 = 1 << 14;

export class Decisions {
  count: i32 = 0;
  /** Whether equality tests the low half first: unequal arguments mostly differ there. */
  lowFirst: bool = true;
  exhausted: bool = false;
  test: StaticArray<u8> = new StaticArray<u8>(INITIAL_CAPACITY);
  /** Index into the twelve words of the arguments: twice the argument, plus one for its high half. */
  word: StaticArray<u8> = new StaticArray<u8>(INITIAL_CAPACITY);
  mask: StaticArray<u32> = new StaticArray<u32>(INITIAL_CAPACITY);
  /** What is compared with, or the action of an outcome. */
  k: StaticArray<u32> = new StaticArray<u32>(INITIAL_CAPACITY);
  onTrue: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  onFalse: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private chain: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private buckets: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY << 2);

  clear(): void {
    this.count = 0;
    this.exhausted = false;
    memory.fill(changetype<usize>(this.buckets), 0, this.buckets.length * sizeof<i32>());
  }

  /** Whether the decision compares all bits of its word with a constant. */
  comparesWhole(id: i32): bool {
    const test = this.test[id];
    return test == AT_LEAST || (test == IS && this.mask[id] == ALL);
  }

  outcome(action: u32): i32 {
    return this.node(OUTCOME, 0, 0, action, NONE, NONE);
  }

  /** `word & mask == k`. */
  is(word: u8, mask: u32, k: u32, onTrue: i32, onFalse: i32): i32 {
    if ((k & ~mask) != 0) return onFalse;
    if (mask == 0) return onTrue;
    // One instruction tests against zero, or a single bit, where `and` and `jeq` take two.
    if (mask != ALL) {
      if (k == 0) return this.any(word, mask, onFalse, onTrue);
      if (k == mask && popcnt(mask) == 1) return this.any(word, mask, onTrue, onFalse);
    }
    return this.binary(IS, word, mask, k, onTrue, onFalse);
  }

  /** `word >= k`. */
  atLeast(word: u8, k: u32, onTrue: i32, onFalse: i32): i32 {
    return k == 0 ? onTrue : this.binary(AT_LEAST, word, ALL, k, onTrue, onFalse);
  }

  /** `word & mask != 0`. */
  any(word: u8, mask: u32, onTrue: i32, onFalse: i32): i32 {
    return this.binary(ANY, word, mask, 0, onTrue, onFalse);
  }

  /** `word > k`. */
  above(word: u8, k: u32, onTrue: i32, onFalse: i32): i32 {
    return k == ALL ? onFalse : this.atLeast(word, k + 1, onTrue, onFalse);
  }

  private binary(test: u8, word: u8, mask: u32, k: u32, onTrue: i32, onFalse: i32): i32 {
    return onTrue == onFalse ? onTrue : this.node(test, word, mask, k, onTrue, onFalse);
  }

  private node(test: u8, word: u8, mask: u32, k: u32, onTrue: i32, onFalse: i32): i32 {
    let hash = ((<u32>test * 31 + word) * 0x9e3779b1) ^ mask;
    hash = (hash * 0x85ebca6b) ^ k;
    hash = (hash ^ (hash >> 15) ^ <u32>onTrue) * 0xc2b2ae35;
    hash = (hash ^ (hash >> 13) ^ <u32>onFalse) * 0x27d4eb2f;
    hash ^= hash >> 15;
    const bucket = hash & (this.buckets.length - 1);
    for (let id = unchecked(this.buckets[bucket]) - 1; id != NONE; id = unchecked(this.chain[id]) - 1) {
      if (unchecked(this.test[id] != test || this.word[id] != word || this.mask[id] != mask)) continue;
      if (unchecked(this.k[id] == k && this.onTrue[id] == onTrue && this.onFalse[id] == onFalse)) return id;
    }
    if (this.count == MAXIMUM_DECISIONS) {
      this.exhausted = true;
      return 0;
    }
    if (this.count == this.test.length) {
      this.test = grown<u8>(this.test);
      this.word = grown<u8>(this.word);
      this.mask = grown<u32>(this.mask);
      this.k = grown<u32>(this.k);
      this.onTrue = grown<i32>(this.onTrue);
      this.onFalse = grown<i32>(this.onFalse);
      this.chain = grown<i32>(this.chain);
    }
    const id = this.count++;
    unchecked((this.test[id] = test));
    unchecked((this.word[id] = word));
    unchecked((this.mask[id] = mask));
    unchecked((this.k[id] = k));
    unchecked((this.onTrue[id] = onTrue));
    unchecked((this.onFalse[id] = onFalse));
    unchecked((this.chain[id] = this.buckets[bucket]));
    unchecked((this.buckets[bucket] = id + 1));
    return id;
  }

  /** The decision graph of a call: its clauses in order, then `otherwise`. */
  ofCall(rule: CallRule): i32 {
    let next = this.outcome(rule.otherwise);
    const narrow = rule.argumentBits == 32;
    for (let i = <i32>rule.clauseCount - 1; i >= 0; i--) {
      const clause = changetype<Clause>(rule.clauses + <usize>i * offsetof<Clause>());
      let holds = this.outcome(clause.action);
      for (let j = <i32>clause.comparisonCount - 1; j >= 0; j--) {
        const comparison = changetype<Comparison>(clause.comparisons + <usize>j * offsetof<Comparison>());
        holds = narrow ? this.compareNarrow(comparison, holds, next) : this.compareWide(comparison, holds, next);
      }
      next = holds;
    }
    return next;
  }

  private compareNarrow(comparison: Comparison, holds: i32, fails: i32): i32 {
    const word = comparison.index << 1;
    const value = <u32>comparison.value;
    switch (comparison.operator) {
      case NE:
        return this.is(word, ALL, value, fails, holds);
      case LT:
        return this.atLeast(word, value, fails, holds);
      case LE:
        return this.above(word, value, fails, holds);
      case EQ:
        return this.is(word, ALL, value, holds, fails);
      case GE:
        return this.atLeast(word, value, holds, fails);
      case GT:
        return this.above(word, value, holds, fails);
      default:
        return this.is(word, <u32>comparison.mask, value, holds, fails);
    }
  }

  private compareWide(comparison: Comparison, holds: i32, fails: i32): i32 {
    const low = comparison.index << 1;
    switch (comparison.operator) {
      case NE:
        return this.equalWide(low, u64.MAX_VALUE, comparison.value, fails, holds);
      case LT:
        return this.atLeastWide(low, comparison.value, fails, holds);
      case LE:
        return this.aboveWide(low, comparison.value, fails, holds);
      case EQ:
        return this.equalWide(low, u64.MAX_VALUE, comparison.value, holds, fails);
      case GE:
        return this.atLeastWide(low, comparison.value, holds, fails);
      case GT:
        return this.aboveWide(low, comparison.value, holds, fails);
      default:
        return this.equalWide(low, comparison.mask, comparison.value, holds, fails);
    }
  }

  private equalWide(low: u8, mask: u64, value: u64, onTrue: i32, onFalse: i32): i32 {
    const first: u8 = this.lowFirst ? low : low + 1;
    const firstShift: u64 = this.lowFirst ? 0 : 32;
    const secondShift: u64 = 32 - firstShift;
    const second: u8 = first ^ 1;
    const next = this.is(second, <u32>(mask >> secondShift), <u32>(value >> secondShift), onTrue, onFalse);
    return this.is(first, <u32>(mask >> firstShift), <u32>(value >> firstShift), next, onFalse);
  }

  private atLeastWide(low: u8, value: u64, onTrue: i32, onFalse: i32): i32 {
    const high = <u32>(value >> 32);
    const lowAtLeast = this.atLeast(low, <u32>value, onTrue, onFalse);
    const same = this.is(low + 1, ALL, high, lowAtLeast, onFalse);
    return this.above(low + 1, high, onTrue, same);
  }

  private aboveWide(low: u8, value: u64, onTrue: i32, onFalse: i32): i32 {
    return value == u64.MAX_VALUE ? onFalse : this.atLeastWide(low, value + 1, onTrue, onFalse);
  }
}
