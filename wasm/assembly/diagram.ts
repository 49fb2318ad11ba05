/**
 * Decision diagrams over the 512 bits of `struct seccomp_data`: ordered, reduced and shared, so that two functions are
 * equal exactly when they are the same node. A diagram is either a condition (its leaves are FALSE and TRUE) or an
 * outcome (its leaves are actions).
 *
 * The order is architecture, number, arguments with their high halves first, instruction pointer; within a word, the
 * most significant bit first. Intervals and masks of a word are then chains of at most 32 nodes.
 *
 * Nodes are read unchecked in the innermost functions: every id that they meet was handed out here.
 */

import { grown, NONE } from "./instruction-graph";

export const FALSE: i32 = 0;
export const TRUE: i32 = 1;

/** The variable of a leaf, after all others. */
export const LEAF: u16 = 1 << 15;

export const ARCHITECTURE_WORD: i32 = 1;
export const NUMBER_WORD: i32 = 0;

/** Words of `struct seccomp_data`. */
export const DATA_WORDS: i32 = 16;

const INITIAL_CAPACITY: i32 = 1 << 12;
const CACHE_SIZE: i32 = 1 << 13;

/** Where a word of `struct seccomp_data` comes in the order of variables. */
export function rankOf(word: i32): i32 {
  if (word < 2) return word ^ 1;
  // Arguments precede the instruction pointer; the second word of each pair is the high half on little-endian machines.
  return (word < 4 ? word + 12 : word - 2) ^ 1;
}

/** The word whose bits have variables 32·rank to 32·rank + 31. */
export function wordAt(rank: i32): i32 {
  const word = rank ^ 1;
  if (rank < 2) return word;
  return word >= 14 ? word - 12 : word + 2;
}

export class Diagram {
  count: i32 = 0;
  /** Set when the budget is spent; every result from then on is void. */
  exhausted: bool = false;
  private budget: i32;
  variable: StaticArray<u16> = new StaticArray<u16>(INITIAL_CAPACITY);
  /** Where a clear bit leads; the action of a leaf. */
  low: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  high: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private chain: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private buckets: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private cache: StaticArray<i32> = new StaticArray<i32>(CACHE_SIZE * 4);

  /** @param budget nodes that may be made */
  constructor(budget: i32) {
    this.budget = budget;
    // Leaves of conditions are told from actions by their second field.
    this.intern(LEAF, 0, FALSE + 1);
    this.intern(LEAF, 0, TRUE + 1);
  }

  action(value: u32): i32 {
    return this.intern(LEAF, <i32>value, 0);
  }

  actionOf(id: i32): u32 {
    return <u32>this.low[id];
  }

  isLeaf(id: i32): bool {
    return this.variable[id] == LEAF;
  }

  /** The node for a bit; a bit that makes no difference needs none. */
  bit(variable: i32, low: i32, high: i32): i32 {
    return low == high ? low : this.intern(<u16>variable, low, high);
  }

  /** `condition ? holds : fails`, bit by bit. */
  choose(condition: i32, holds: i32, fails: i32): i32 {
    if (condition == TRUE) return holds;
    if (condition == FALSE) return fails;
    if (holds == fails) return holds;
    if (holds == TRUE && fails == FALSE) return condition;
    if (this.exhausted) return FALSE;
    let hash = <u32>condition * 0x9e3779b1;
    hash = (hash ^ (hash >> 15) ^ <u32>holds) * 0x85ebca6b;
    hash = (hash ^ (hash >> 13) ^ <u32>fails) * 0xc2b2ae35;
    const slot = (<i32>((hash ^ (hash >> 16)) & (CACHE_SIZE - 1))) << 2;
    const cache = this.cache;
    if (unchecked(cache[slot] == condition && cache[slot + 1] == holds && cache[slot + 2] == fails)) {
      return unchecked(cache[slot + 3]);
    }
    const variable = this.variable;
    const top = unchecked(min<u16>(variable[condition], min<u16>(variable[holds], variable[fails])));
    const low = this.choose(
      this.side(condition, top, false),
      this.side(holds, top, false),
      this.side(fails, top, false),
    );
    const high = this.choose(this.side(condition, top, true), this.side(holds, top, true), this.side(fails, top, true));
    const result = this.bit(top, low, high);
    unchecked((cache[slot] = condition));
    unchecked((cache[slot + 1] = holds));
    unchecked((cache[slot + 2] = fails));
    unchecked((cache[slot + 3] = result));
    return result;
  }

  /**
   * `word >= k ? holds : fails`, or `word == k` where `exact`, of the bits of a word from `bit` on, whose variable is given.
   * Neither outcome may depend on what comes before: there is but one way to go then, and no diagram of the condition is
   * needed.
   */
  compare(variable: i32, bit: u32, k: u32, exact: bool, holds: i32, fails: i32): i32 {
    if (bit == 0) return holds;
    const set = (k & bit) != 0;
    const top = <u16>variable;
    const other = this.side(set || exact ? fails : holds, top, !set);
    holds = this.side(holds, top, set);
    fails = this.side(fails, top, set);
    const equal = this.compare(variable + 1, bit >> 1, k, exact, holds, fails);
    return set ? this.bit(variable, other, equal) : this.bit(variable, equal, other);
  }

  /** Whether a diagram depends on no bit that comes before `variable`. */
  isFrom(variable: i32, id: i32): bool {
    return <i32>unchecked(this.variable[id]) >= variable;
  }

  and(a: i32, b: i32): i32 {
    return this.choose(a, b, FALSE);
  }

  or(a: i32, b: i32): i32 {
    return this.choose(a, TRUE, b);
  }

  not(a: i32): i32 {
    return this.choose(a, FALSE, TRUE);
  }

  xor(a: i32, b: i32): i32 {
    return this.choose(a, this.not(b), b);
  }

  /** `word & mask == k`. */
  equal(word: i32, mask: u32, k: u32): i32 {
    if ((k & ~mask) != 0) return FALSE;
    let result = TRUE;
    for (let position = 0; position < 32; position++) {
      const value: u32 = 1 << position;
      if ((mask & value) == 0) continue;
      const variable = variableOf(word, position);
      result = (k & value) != 0 ? this.bit(variable, FALSE, result) : this.bit(variable, result, FALSE);
    }
    return result;
  }

  /** `word & mask >= k`. */
  atLeast(word: i32, mask: u32, k: u32): i32 {
    let result = TRUE;
    for (let position = 0; position < 32; position++) {
      const value: u32 = 1 << position;
      const wanted = (k & value) != 0;
      if ((mask & value) == 0) {
        if (wanted) result = FALSE;
        continue;
      }
      const variable = variableOf(word, position);
      result = wanted ? this.bit(variable, FALSE, result) : this.bit(variable, result, TRUE);
    }
    return result;
  }

  /** `word & mask > k`. */
  above(word: i32, mask: u32, k: u32): i32 {
    return k == u32.MAX_VALUE ? FALSE : this.atLeast(word, mask, k + 1);
  }

  /** `word & mask != 0`. */
  any(word: i32, mask: u32): i32 {
    let result = FALSE;
    for (let position = 0; position < 32; position++) {
      if ((mask & (1 << position)) != 0) result = this.bit(variableOf(word, position), result, TRUE);
    }
    return result;
  }

  /** The branch of `id` for the bit `variable`, which no node above `id` tests. */
  side(id: i32, variable: u16, set: bool): i32 {
    if (unchecked(this.variable[id]) != variable) return id;
    return unchecked(set ? this.high[id] : this.low[id]);
  }

  private intern(variable: u16, low: i32, high: i32): i32 {
    let hash = (<u32>low * 0x9e3779b1) ^ variable;
    hash = (hash ^ (hash >> 15) ^ <u32>high) * 0x85ebca6b;
    hash ^= hash >> 13;
    const head = unchecked(this.buckets[hash & (this.buckets.length - 1)]);
    for (let id = head - 1; id != NONE; id = unchecked(this.chain[id]) - 1) {
      if (unchecked(this.variable[id] == variable && this.low[id] == low && this.high[id] == high)) return id;
    }
    if (this.count == this.budget) {
      this.exhausted = true;
      return FALSE;
    }
    if (this.count == this.variable.length) this.grow();
    const bucket = hash & (this.buckets.length - 1);
    const id = this.count++;
    unchecked((this.variable[id] = variable));
    unchecked((this.low[id] = low));
    unchecked((this.high[id] = high));
    unchecked((this.chain[id] = this.buckets[bucket]));
    unchecked((this.buckets[bucket] = id + 1));
    return id;
  }

  private grow(): void {
    this.variable = grown<u16>(this.variable);
    this.low = grown<i32>(this.low);
    this.high = grown<i32>(this.high);
    this.chain = grown<i32>(this.chain);
    this.buckets = new StaticArray<i32>(this.variable.length);
    for (let id = 0; id < this.count; id++) {
      let hash = (<u32>this.low[id] * 0x9e3779b1) ^ this.variable[id];
      hash = (hash ^ (hash >> 15) ^ <u32>this.high[id]) * 0x85ebca6b;
      hash ^= hash >> 13;
      const bucket = hash & (this.buckets.length - 1);
      this.chain[id] = this.buckets[bucket];
      this.buckets[bucket] = id + 1;
    }
  }
}

/** @param position 0 for the least significant bit */
export function variableOf(word: i32, position: i32): i32 {
  return (rankOf(word) << 5) + 31 - position;
}
