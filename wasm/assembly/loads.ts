/**
 * Turns decisions into instructions: settles when a word is loaded and masked, and searches among the constants that one
 * word is compared with. The accumulator's content is carried along each path, so a word that is still there is not
 * loaded again.
 */

import { ANY, AT_LEAST, Decisions, IS, OUTCOME } from "./decisions";
import { InstructionGraph, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET } from "./instruction-graph";
import { applies, SEARCH_CONSTANTS } from "./rewrites";
import { SearchTree } from "./search-tree";
import { Segments } from "./segments";

/** Where the arguments begin in `struct seccomp_data`. */
const ARGUMENTS_OFFSET: u32 = 16;

/** Twelve words, or none of them. */
const CONTENTS: i32 = 13;

/** The accumulator holds none of the argument words. */
const NOTHING: i32 = -1;

/** Tests of one word in a row that are worth a search; a shorter row is its own best order. */
const SEARCH_FROM: i32 = 4;

/** Beyond this many tests a row is left as it is: cutting it into segments takes quadratic time. */
const SEARCH_LIMIT: i32 = 512;

/** An instruction of size against one executed: a value that is compared with is as likely as any other. */
const SIZE_PRICE: f64 = 2;

/** Ascending, by insertion: the library's sort is a twentieth of the component. */
function sort(values: StaticArray<u32>, count: i32): void {
  for (let i = 1; i < count; i++) {
    const value = values[i];
    let at = i;
    for (; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
    values[at] = value;
  }
}

export class Loader {
  private decisions: Decisions;
  private graph: InstructionGraph;
  private bigEndian: bool;
  /** By decision, then accumulator content plus one: the node made for that pair, plus one. */
  private made: StaticArray<i32>;

  constructor(decisions: Decisions, graph: InstructionGraph, bigEndian: bool) {
    this.decisions = decisions;
    this.graph = graph;
    this.bigEndian = bigEndian;
    this.made = new StaticArray<i32>(decisions.count * CONTENTS);
  }

  /** The instruction that begins the decision `id`, whatever the accumulator holds. */
  instructions(id: i32): i32 {
    return this.enter(id, NOTHING);
  }

  private enter(id: i32, held: i32): i32 {
    const slot = id * CONTENTS + held + 1;
    const known = this.made[slot];
    if (known != 0) return known - 1;
    const node = this.lower(id, held);
    this.made[slot] = node + 1;
    return node;
  }

  private lower(id: i32, held: i32): i32 {
    const decisions = this.decisions;
    const graph = this.graph;
    const test = decisions.test[id];
    const k = decisions.k[id];
    if (test == OUTCOME) return graph.returns(k);
    const word = <i32>decisions.word[id];
    if (held != word) return graph.loads(this.offsetOf(word), this.enter(id, word));
    if (applies(SEARCH_CONSTANTS) && decisions.comparesWhole(id)) {
      const row = this.rowFrom(id);
      if (row.length >= SEARCH_FROM && row.length <= SEARCH_LIMIT) return this.search(id, row);
    }
    const mask = decisions.mask[id];
    const masked = test == IS && ~mask != 0;
    const after = masked ? NOTHING : word;
    const onTrue = this.enter(decisions.onTrue[id], after);
    const onFalse = this.enter(decisions.onFalse[id], after);
    if (test == AT_LEAST) return graph.tests(JUMP_GREATER_EQUAL, k, onTrue, onFalse);
    if (test == ANY) return graph.tests(JUMP_SET, mask, onTrue, onFalse);
    const equal = graph.tests(JUMP_EQUAL, k, onTrue, onFalse);
    return masked ? graph.masks(mask, equal) : equal;
  }

  /** The decisions about the whole word of `id` that follow from it without another word or a mask in between. */
  private rowFrom(id: i32): StaticArray<i32> {
    const decisions = this.decisions;
    const seen = new StaticArray<bool>(decisions.count);
    const found = new StaticArray<i32>(decisions.count);
    const word = decisions.word[id];
    let count = 0;
    found[count++] = id;
    seen[id] = true;
    for (let i = 0; i < count; i++) {
      for (let side = 0; side < 2; side++) {
        const next = side == 0 ? decisions.onTrue[found[i]] : decisions.onFalse[found[i]];
        if (seen[next] || decisions.word[next] != word || !decisions.comparesWhole(next)) continue;
        seen[next] = true;
        found[count++] = next;
      }
    }
    return found.slice<StaticArray<i32>>(0, count);
  }

  private search(id: i32, row: StaticArray<i32>): i32 {
    const decisions = this.decisions;
    const word = <i32>decisions.word[id];
    const starts = new StaticArray<u32>(row.length * 2 + 1);
    let count = 1;
    for (let i = 0; i < row.length; i++) {
      const k = decisions.k[row[i]];
      starts[count++] = k;
      if (decisions.test[row[i]] == IS && k != u32.MAX_VALUE) starts[count++] = k + 1;
    }
    sort(starts, count);
    const segments = new Segments();
    for (let i = 0; i < count; i++) {
      if (i > 0 && starts[i] == starts[i - 1]) continue;
      segments.add(starts[i], this.enter(this.exitOf(id, starts[i]), word));
    }
    for (let i = 0; i < segments.count; i++) segments.weight[i] = 1;
    return new SearchTree(segments, this.graph, SIZE_PRICE).build();
  }

  /** Where a row that begins at `id` leads for one value of its word. */
  private exitOf(id: i32, value: u32): i32 {
    const decisions = this.decisions;
    const word = decisions.word[id];
    while (decisions.comparesWhole(id) && decisions.word[id] == word) {
      const k = decisions.k[id];
      const holds = decisions.test[id] == IS ? value == k : value >= k;
      id = holds ? decisions.onTrue[id] : decisions.onFalse[id];
    }
    return id;
  }

  private offsetOf(word: i32): u32 {
    return ARGUMENTS_OFFSET + ((<u32>(this.bigEndian ? word ^ 1 : word)) << 2);
  }
}
