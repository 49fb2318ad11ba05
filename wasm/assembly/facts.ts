/**
 * What is known of the twelve argument words on the way to a decision: an interval and some bits of each. A rewrite that
 * drops every decision whose outcome is known, and with it clauses that can no longer hold.
 */

import { ANY, AT_LEAST, Decisions, OUTCOME } from "./decisions";

const WORDS: i32 = 12;

/** Steps for one call; past them the rest stays as it is, which is right, only larger. */
const BUDGET: i32 = 1 << 15;

/** Nested decisions; the walk recurses once for each. */
const DEPTH_LIMIT: i32 = 1 << 11;

export class Facts {
  private decisions: Decisions;
  private steps: i32 = 0;
  private depth: i32 = 0;
  private lowest: StaticArray<u32> = new StaticArray<u32>(WORDS);
  private highest: StaticArray<u32> = new StaticArray<u32>(WORDS);
  private knownBits: StaticArray<u32> = new StaticArray<u32>(WORDS);
  private bits: StaticArray<u32> = new StaticArray<u32>(WORDS);

  constructor(decisions: Decisions) {
    this.decisions = decisions;
  }

  /** The decision graph `id` without decisions that are settled before they are reached. */
  simplify(id: i32): i32 {
    this.steps = 0;
    for (let word = 0; word < WORDS; word++) {
      this.lowest[word] = 0;
      this.highest[word] = u32.MAX_VALUE;
      this.knownBits[word] = 0;
      this.bits[word] = 0;
    }
    return this.walk(id);
  }

  private walk(id: i32): i32 {
    const decisions = this.decisions;
    // Skipping settled decisions in a loop keeps long lists of alternatives from nesting.
    while (decisions.test[id] != OUTCOME) {
      if (++this.steps > BUDGET || this.depth > DEPTH_LIMIT) return id;
      const settled = this.outcomeOf(id);
      if (settled < 0) break;
      id = settled != 0 ? decisions.onTrue[id] : decisions.onFalse[id];
    }
    if (decisions.test[id] == OUTCOME) return id;

    const test = decisions.test[id];
    const word = decisions.word[id];
    const mask = decisions.mask[id];
    const k = decisions.k[id];
    // A word below WORDS has its place in each of the four arrays.
    const lowest = unchecked(this.lowest[word]);
    const highest = unchecked(this.highest[word]);
    const knownBits = unchecked(this.knownBits[word]);
    const bits = unchecked(this.bits[word]);
    this.depth++;
    this.learn(id, true);
    const onTrue = this.walk(decisions.onTrue[id]);
    unchecked((this.lowest[word] = lowest));
    unchecked((this.highest[word] = highest));
    unchecked((this.knownBits[word] = knownBits));
    unchecked((this.bits[word] = bits));
    this.learn(id, false);
    const onFalse = this.walk(decisions.onFalse[id]);
    unchecked((this.lowest[word] = lowest));
    unchecked((this.highest[word] = highest));
    unchecked((this.knownBits[word] = knownBits));
    unchecked((this.bits[word] = bits));
    this.depth--;
    if (test == AT_LEAST) return decisions.atLeast(word, k, onTrue, onFalse);
    if (test == ANY) return decisions.any(word, mask, onTrue, onFalse);
    return decisions.is(word, mask, k, onTrue, onFalse);
  }

  /** 1 or 0 where the decision is settled, −1 where it is open. */
  private outcomeOf(id: i32): i32 {
    const word = this.decisions.word[id];
    const mask = this.decisions.mask[id];
    const k = this.decisions.k[id];
    const test = this.decisions.test[id];
    const lowest = unchecked(this.lowest[word]);
    const highest = unchecked(this.highest[word]);
    if (test == AT_LEAST) {
      if (lowest >= k) return 1;
      return highest < k ? 0 : -1;
    }
    const known = lowest == highest ? u32.MAX_VALUE : unchecked(this.knownBits[word]);
    const bits = lowest == highest ? lowest : unchecked(this.bits[word]);
    if (test == ANY) {
      if ((bits & known & mask) != 0) return 1;
      return (mask & ~known) == 0 ? 0 : -1;
    }
    if (((bits ^ k) & known & mask) != 0) return 0;
    if ((mask & ~known) == 0) return 1;
    return mask == u32.MAX_VALUE && (k < lowest || k > highest) ? 0 : -1;
  }

  private learn(id: i32, holds: bool): void {
    const word = this.decisions.word[id];
    const mask = this.decisions.mask[id];
    const k = this.decisions.k[id];
    const test = this.decisions.test[id];
    if (test == AT_LEAST) {
      if (holds) unchecked((this.lowest[word] = max(this.lowest[word], k)));
      else unchecked((this.highest[word] = min(this.highest[word], k - 1)));
    } else if (test == ANY) {
      if (!holds) this.learnBits(word, mask, 0);
      else if (popcnt(mask) == 1) this.learnBits(word, mask, mask);
    } else if (holds) {
      this.learnBits(word, mask, k);
      if (mask == u32.MAX_VALUE) {
        unchecked((this.lowest[word] = k));
        unchecked((this.highest[word] = k));
      }
    } else if (mask == u32.MAX_VALUE) {
      if (unchecked(this.lowest[word]) == k) unchecked((this.lowest[word] = k + 1));
      else if (unchecked(this.highest[word]) == k) unchecked((this.highest[word] = k - 1));
    }
  }

  private learnBits(word: u8, mask: u32, value: u32): void {
    unchecked((this.knownBits[word] |= mask));
    unchecked((this.bits[word] = (this.bits[word] & ~mask) | value));
  }
}
