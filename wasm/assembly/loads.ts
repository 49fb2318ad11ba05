/**
 * Turns decisions into instructions: settles when a word is loaded and masked. The accumulator's content is carried
 * along each path, so a word that is still there is not loaded again.
 */

import { ANY, AT_LEAST, Decisions, IS, OUTCOME } from "./decisions";
import { InstructionGraph, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET } from "./instruction-graph";

/** Where the arguments begin in `struct seccomp_data`. */
const ARGUMENTS_OFFSET: u32 = 16;

/** The accumulator holds none of the argument words. */
const NOTHING: i32 = -1;

export class Loader {
  private decisions: Decisions;
  private graph: InstructionGraph;
  private bigEndian: bool;
  /** By accumulator content plus one, then decision: the node made for that pair, plus one. */
  private made: StaticArray<i32>;

  constructor(decisions: Decisions, graph: InstructionGraph, bigEndian: bool) {
    this.decisions = decisions;
    this.graph = graph;
    this.bigEndian = bigEndian;
    this.made = new StaticArray<i32>(0);
  }

  /** The instruction that begins the decision `id`, whatever the accumulator holds. */
  instructions(id: i32): i32 {
    this.made = new StaticArray<i32>((id + 1) * 13);
    return this.enter(id, NOTHING);
  }

  private enter(id: i32, held: i32): i32 {
    const slot = id * 13 + held + 1;
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

  private offsetOf(word: i32): u32 {
    return ARGUMENTS_OFFSET + ((<u32>(this.bigEndian ? word ^ 1 : word)) << 2);
  }
}
