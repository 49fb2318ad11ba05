/**
 * Gives the instruction graph an order and its jumps their distances. Instructions are placed from the end of the
 * program to its beginning, successors before their predecessors, so that every distance is known when it is needed.
 * Conditional jumps reach 255 instructions; a distant return is repeated, anything else distant is reached through `ja`.
 * What follows a load and is needed elsewhere, too, is repeated where that takes no more than the `ja` it saves.
 *
 * Nodes are read unchecked: every id comes from the graph.
 */

import { grown, InstructionGraph, JUMP, LOAD, AND, NONE, RETURN } from "./instruction-graph";
import { applies, REPEAT_TESTS } from "./rewrites";

/** BPF_MAXINSNS. */
export const INSTRUCTION_LIMIT: i32 = 4096;

/** The reach of a conditional jump's 8-bit offsets. */
const REACH: i32 = 255;

export class Layout {
  /** Placed instructions, last one first. */
  count: i32 = 0;
  private graph: InstructionGraph;
  /** `struct sock_filter` each. */
  private placed: StaticArray<u64> = new StaticArray<u64>(512);
  /** By node: the latest place, counted from the end, plus one. */
  private place: StaticArray<i32>;
  /** By node: a load or mask that continues with it, plus one. */
  private before: StaticArray<i32>;

  constructor(graph: InstructionGraph) {
    this.graph = graph;
    this.place = new StaticArray<i32>(graph.count);
    this.before = new StaticArray<i32>(graph.count);
  }

  /** Whether the program fits the kernel's limit; if not, `count` is what it would need. */
  run(root: i32): bool {
    const graph = this.graph;
    const stack = new StaticArray<i32>(graph.count * 2 + 2);
    const order = this.reachable(root, stack);
    for (let i = 0; i < order; i++) {
      const id = unchecked(stack[i]);
      const code = unchecked(graph.code[id]);
      if (code == LOAD || code == AND) unchecked((this.before[graph.onTrue[id]] = id + 1));
    }
    this.placeAll(root, new StaticArray<i32>(graph.count * 2 + 2));
    return this.count <= INSTRUCTION_LIMIT;
  }

  /** Packed `struct sock_filter[]`. */
  write(): usize {
    const program = heap.alloc(<usize>this.count * 8);
    for (let i = 0; i < this.count; i++) {
      store<u64>(program + ((<usize>i) << 3), unchecked(this.placed[this.count - 1 - i]));
    }
    return program;
  }

  private reachable(root: i32, found: StaticArray<i32>): i32 {
    const seen = new StaticArray<bool>(this.graph.count);
    let count = 0;
    found[count++] = root;
    seen[root] = true;
    for (let i = 0; i < count; i++) {
      const id = unchecked(found[i]);
      for (let side = 0; side < 2; side++) {
        const next = unchecked(side == 0 ? this.graph.onTrue[id] : this.graph.onFalse[id]);
        if (next == NONE || unchecked(seen[next])) continue;
        unchecked((seen[next] = true));
        unchecked((found[count++] = next));
      }
    }
    return count;
  }

  /** Depth first; a node is placed when it comes up again after its successors. */
  private placeAll(root: i32, stack: StaticArray<i32>): void {
    const graph = this.graph;
    const expanded = new StaticArray<bool>(graph.count);
    let depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
      const id = unchecked(stack[depth - 1]);
      if (unchecked(this.place[id]) != 0) {
        depth--;
        continue;
      }
      if (!unchecked(expanded[id])) {
        unchecked((expanded[id] = true));
        for (let side = 0; side < 2; side++) {
          const next = unchecked(side == 0 ? graph.onTrue[id] : graph.onFalse[id]);
          if (next != NONE && unchecked(this.place[next]) == 0) unchecked((stack[depth++] = next));
        }
        continue;
      }
      depth--;
      this.placeNode(id);
      // A load must be followed by what uses the word; placing it at once spares a jump.
      let before = unchecked(this.before[id]);
      for (; before != 0; before = unchecked(this.before[before - 1])) this.placeNode(before - 1);
    }
  }

  private placeNode(id: i32): void {
    if (this.count > INSTRUCTION_LIMIT * 2) return;
    const graph = this.graph;
    const code = unchecked(graph.code[id]);
    if (code == RETURN) {
      this.put(code, 0, 0, unchecked(graph.k[id]));
    } else if (code == LOAD || code == AND) {
      this.fallThrough(unchecked(graph.onTrue[id]));
      this.put(code, 0, 0, unchecked(graph.k[id]));
    } else {
      this.placeTest(id, code);
    }
    unchecked((this.place[id] = this.count));
  }

  private placeTest(id: i32, code: u16): void {
    const graph = this.graph;
    const onTrue = unchecked(graph.onTrue[id]);
    const onFalse = unchecked(graph.onFalse[id]);
    // Bringing one target nearer may push the other out of reach.
    while (true) {
      if (this.distance(onTrue) > REACH) this.bringNear(onTrue);
      else if (this.distance(onFalse) > REACH) this.bringNear(onFalse);
      else break;
    }
    this.put(code, <u8>this.distance(onTrue), <u8>this.distance(onFalse), graph.k[id]);
  }

  private bringNear(id: i32): void {
    const graph = this.graph;
    if (unchecked(graph.code[id]) == RETURN) this.put(RETURN, 0, 0, unchecked(graph.k[id]));
    else this.put(JUMP, 0, 0, this.distance(id));
    unchecked((this.place[id] = this.count));
  }

  /** Continues with a node: it comes next, or its single instruction is repeated, or `ja` leads there. */
  private fallThrough(id: i32): void {
    const distance = this.distance(id);
    if (distance == 0) return;
    const graph = this.graph;
    const code = unchecked(graph.code[id]);
    if (code == RETURN) {
      this.put(RETURN, 0, 0, unchecked(graph.k[id]));
    } else if (code != LOAD && code != AND && applies(REPEAT_TESTS) && this.isNear(id)) {
      const onTrue = this.distance(graph.onTrue[id]);
      const onFalse = this.distance(graph.onFalse[id]);
      this.put(code, <u8>onTrue, <u8>onFalse, graph.k[id]);
    } else {
      this.put(JUMP, 0, 0, distance);
    }
  }

  /** Whether both targets of a test can be reached from here. */
  private isNear(id: i32): bool {
    return this.distance(this.graph.onTrue[id]) <= REACH && this.distance(this.graph.onFalse[id]) <= REACH;
  }

  /** Instructions between the one to be placed next and the latest place of `id`. */
  private distance(id: i32): i32 {
    return this.count - unchecked(this.place[id]);
  }

  private put(code: u16, jumpTrue: u8, jumpFalse: u8, k: u32): void {
    if (this.count == this.placed.length) this.placed = grown<u64>(this.placed);
    const jumps = ((<u32>jumpFalse) << 24) | ((<u32>jumpTrue) << 16);
    unchecked((this.placed[this.count++] = ((<u64>k) << 32) | (jumps | code)));
  }
}
