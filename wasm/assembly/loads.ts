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

/** What the accumulator can hold: nothing of use, or one of the twelve words, counted from one. */
const CONTENTS: i32 = 13;
const NOTHING: i32 = 0;

/** Tests of one word in a row that are worth a search; a shorter row is its own best order. */
const SEARCH_FROM: i32 = 4;

/** Beyond this many tests a row is left as it is: cutting it into segments takes quadratic time. */
const SEARCH_LIMIT: i32 = 512;

/** An instruction of size against one executed: a value that is compared with is as likely as any other. */
const SIZE_PRICE: f64 = 2;

/** Ascending, by insertion: the library's sort is a twenty-fifth of the component. */
function sort(values: StaticArray<u32>, count: i32): void {
  for (let i = 1; i < count; i++) {
    const value = unchecked(values[i]);
    let at = i;
    for (; at > 0 && unchecked(values[at - 1]) > value; at--) unchecked((values[at] = values[at - 1]));
    unchecked((values[at] = value));
  }
}

export class Loader {
  private decisions: Decisions;
  private graph: InstructionGraph;
  private tree: SearchTree;
  private bigEndian: bool;
  /** By decision: the contents that it is entered with, a bit each. */
  private entered: StaticArray<u16>;
  /** By decision and content: the node made for the pair. */
  private made: StaticArray<i32>;
  /** The latest row, and which decisions have been looked at for it. */
  private row: StaticArray<i32> = new StaticArray<i32>(SEARCH_LIMIT + 2);
  private seen: StaticArray<i32>;
  private rows: i32 = 0;
  private starts: StaticArray<u32> = new StaticArray<u32>(0);

  constructor(decisions: Decisions, graph: InstructionGraph, tree: SearchTree, bigEndian: bool) {
    this.decisions = decisions;
    this.graph = graph;
    this.tree = tree;
    this.bigEndian = bigEndian;
    this.entered = new StaticArray<u16>(decisions.count);
    this.made = new StaticArray<i32>(decisions.count * CONTENTS);
    this.seen = new StaticArray<i32>(decisions.count);
  }

  /**
   * The instruction that begins the decision `root`, whatever the accumulator holds. Ids ascend from outcomes to the
   * root, so that one pass down finds the pairs that are needed and one pass up makes them; recursion would go as deep
   * as the longest chain of decisions.
   */
  instructions(root: i32): i32 {
    this.enter(root, NOTHING);
    for (let id = root; id >= 0; id--) {
      if (this.entered[id] != 0 && this.decisions.test[id] != OUTCOME) this.descend(id);
    }
    for (let id = 0; id <= root; id++) {
      if (this.entered[id] != 0) this.make(id);
      if (this.graph.exhausted) return 0;
    }
    return this.madeFor(root, NOTHING);
  }

  private enter(id: i32, held: i32): void {
    this.entered[id] |= (<u16>1) << (<u16>held);
  }

  private madeFor(id: i32, held: i32): i32 {
    return this.made[id * CONTENTS + held];
  }

  /** Enters what follows `id`. */
  private descend(id: i32): void {
    const decisions = this.decisions;
    const own = <i32>decisions.word[id] + 1;
    this.enter(id, own);
    const count = this.searched(id);
    if (count > 0) {
      for (let i = 0; i < count; i++) this.enter(this.exitOf(id, this.starts[i]), own);
      return;
    }
    const after = this.isMasked(id) ? NOTHING : own;
    this.enter(decisions.onTrue[id], after);
    this.enter(decisions.onFalse[id], after);
  }

  private make(id: i32): void {
    const decisions = this.decisions;
    const slot = id * CONTENTS;
    if (decisions.test[id] == OUTCOME) {
      const node = this.graph.returns(decisions.k[id]);
      for (let held = 0; held < CONTENTS; held++) this.made[slot + held] = node;
      return;
    }
    const word = <i32>decisions.word[id];
    const loaded = this.lower(id, word + 1);
    this.made[slot + word + 1] = loaded;
    for (let held = 0; held < CONTENTS; held++) {
      if (held == word + 1 || (this.entered[id] & ((<u16>1) << (<u16>held))) == 0) continue;
      this.made[slot + held] = this.graph.loads(this.offsetOf(word), loaded);
    }
  }

  /** The test of `id`, its word being in the accumulator. */
  private lower(id: i32, own: i32): i32 {
    const decisions = this.decisions;
    const graph = this.graph;
    const test = decisions.test[id];
    const k = decisions.k[id];
    const count = this.searched(id);
    if (count > 0) return this.search(id, own, count);
    const mask = decisions.mask[id];
    const masked = this.isMasked(id);
    const after = masked ? NOTHING : own;
    const onTrue = this.madeFor(decisions.onTrue[id], after);
    const onFalse = this.madeFor(decisions.onFalse[id], after);
    if (test == AT_LEAST) return graph.tests(JUMP_GREATER_EQUAL, k, onTrue, onFalse);
    if (test == ANY) return graph.tests(JUMP_SET, mask, onTrue, onFalse);
    const equal = graph.tests(JUMP_EQUAL, k, onTrue, onFalse);
    return masked ? graph.masks(mask, equal) : equal;
  }

  private isMasked(id: i32): bool {
    return this.decisions.test[id] == IS && ~this.decisions.mask[id] != 0;
  }

  /**
   * Whether a search replaces `id` and the decisions about its whole word that follow without another word or a mask in
   * between: zero, or how many of `starts`, repeats included, begin a stretch of values that lead to one exit.
   */
  private searched(id: i32): i32 {
    const decisions = this.decisions;
    if (!applies(SEARCH_CONSTANTS) || !decisions.comparesWhole(id)) return 0;
    const length = this.findRow(id);
    if (length < SEARCH_FROM || length > SEARCH_LIMIT) return 0;
    if (this.starts.length < length * 2 + 1) this.starts = new StaticArray<u32>(SEARCH_LIMIT * 2 + 1);
    const starts = this.starts;
    let count = 0;
    starts[count++] = 0;
    for (let i = 0; i < length; i++) {
      const k = decisions.k[this.row[i]];
      starts[count++] = k;
      if (decisions.test[this.row[i]] == IS && k != u32.MAX_VALUE) starts[count++] = k + 1;
    }
    sort(starts, count);
    return count;
  }

  /** Fills `row`; a row longer than the limit is not followed to its end. */
  private findRow(id: i32): i32 {
    const decisions = this.decisions;
    const word = decisions.word[id];
    const stamp = ++this.rows;
    let count = 0;
    this.row[count++] = id;
    this.seen[id] = stamp;
    for (let i = 0; i < count && count <= SEARCH_LIMIT; i++) {
      for (let side = 0; side < 2; side++) {
        const next = side == 0 ? decisions.onTrue[this.row[i]] : decisions.onFalse[this.row[i]];
        if (this.seen[next] == stamp || decisions.word[next] != word || !decisions.comparesWhole(next)) continue;
        this.seen[next] = stamp;
        this.row[count++] = next;
      }
    }
    return count;
  }

  private search(id: i32, own: i32, count: i32): i32 {
    const segments = new Segments();
    for (let i = 0; i < count; i++) {
      const start = this.starts[i];
      segments.add(start, this.madeFor(this.exitOf(id, start), own));
    }
    for (let i = 0; i < segments.count; i++) segments.weight[i] = 1;
    return this.tree.build(segments, this.graph, SIZE_PRICE);
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
