/**
 * The cheapest search over the segments of an architecture: an alphabetic tree by dynamic programming (Knuth's bounds on
 * the split keep it quadratic) whose leaves may be short lists of `jeq`, which cut a lone number out of its surroundings
 * with one test where a tree needs two.
 */

import { InstructionGraph, JUMP_EQUAL, JUMP_GREATER_EQUAL, NONE } from "./instruction-graph";
import { applies, NUMBER_LISTS } from "./rewrites";
import { Segments } from "./segments";

/** Beyond this many segments the table would be too large; the middle of the weight splits them first. */
const TABLE_LIMIT: i32 = 400;

/** Lone numbers in one list. */
const LIST_LIMIT: i32 = 4;

export class SearchTree {
  private segments: Segments;
  private graph: InstructionGraph;
  /** The price of one instruction of size, in the unit of weights. */
  private sizePrice: f64;
  private origin: i32 = 0;
  private width: i32 = 0;
  private prefix: StaticArray<f64> = new StaticArray<f64>(0);
  private cost: StaticArray<f64> = new StaticArray<f64>(0);
  /** The first segment of the right half, or NONE where a list is cheaper. */
  private split: StaticArray<i32> = new StaticArray<i32>(0);
  /** The node that a list falls to. */
  private rest: StaticArray<i32> = new StaticArray<i32>(0);
  private picked: StaticArray<i32> = new StaticArray<i32>(LIST_LIMIT);

  constructor(segments: Segments, graph: InstructionGraph, sizePrice: f64) {
    this.segments = segments;
    this.graph = graph;
    this.sizePrice = sizePrice;
  }

  build(): i32 {
    return this.buildRange(0, this.segments.count - 1);
  }

  private buildRange(first: i32, last: i32): i32 {
    if (last - first >= TABLE_LIMIT) {
      const middle = this.middleOf(first, last);
      const right = this.buildRange(middle, last);
      const left = this.buildRange(first, middle - 1);
      return this.graph.tests(JUMP_GREATER_EQUAL, this.segments.first[middle], right, left);
    }
    this.fillTable(first, last);
    return this.assemble(0, this.width - 1);
  }

  /** The segment that begins the heavier half's nearer end, never the first one. */
  private middleOf(first: i32, last: i32): i32 {
    let total: f64 = 0;
    for (let i = first; i <= last; i++) total += this.segments.weight[i];
    let sum: f64 = 0;
    for (let i = first; i < last; i++) {
      sum += this.segments.weight[i];
      if (sum * 2 >= total) return i + 1;
    }
    return last;
  }

  private fillTable(first: i32, last: i32): void {
    const n = last - first + 1;
    this.origin = first;
    this.width = n;
    this.prefix = new StaticArray<f64>(n + 1);
    this.cost = new StaticArray<f64>(n * n);
    this.split = new StaticArray<i32>(n * n);
    this.rest = new StaticArray<i32>(n * n);
    const prefix = this.prefix;
    const cost = this.cost;
    const split = this.split;
    for (let i = 0; i < n; i++) unchecked((prefix[i + 1] = prefix[i] + this.segments.weight[first + i]));
    for (let i = 0; i < n * n; i++) unchecked((split[i] = NONE));
    if (applies(NUMBER_LISTS)) this.fillLists();
    for (let length = 2; length <= n; length++) {
      for (let i = 0, j = length - 1; j < n; i++, j++) {
        const cell = i * n + j;
        // A list in a cell has no split of its own to bound its neighbours with.
        let low = unchecked(split[cell - 1]);
        if (low <= i) low = i + 1;
        let high = unchecked(split[cell + n]);
        if (high == NONE || high > j) high = j;
        if (low > high) {
          low = i + 1;
          high = j;
        }
        let best = f64.MAX_VALUE;
        let at = NONE;
        for (let k = low; k <= high; k++) {
          const candidate = unchecked(cost[i * n + k - 1] + cost[k * n + j]);
          if (candidate < best) {
            best = candidate;
            at = k;
          }
        }
        best += unchecked(prefix[j + 1] - prefix[i]) + this.sizePrice;
        if (unchecked(cost[cell]) == 0 || best < unchecked(cost[cell])) {
          unchecked((cost[cell] = best));
          unchecked((split[cell] = at));
        }
      }
    }
  }

  /** Enters every range that a list can decide, with the list's cost. */
  private fillLists(): void {
    const n = this.width;
    for (let i = 0; i < n - 1; i++) {
      this.fillListsFrom(i, this.segments.node[this.origin + i]);
      this.fillListsFrom(i, this.segments.node[this.origin + i + 1]);
    }
  }

  private fillListsFrom(i: i32, rest: i32): void {
    const n = this.width;
    let others = 0;
    for (let j = i; j < n; j++) {
      if (this.segments.node[this.origin + j] != rest) {
        if (!this.segments.isSingle(this.origin + j) || ++others > LIST_LIMIT) return;
      }
      if (j == i || others == 0) continue;
      const cost = this.listCost(i, j, rest);
      const cell = i * n + j;
      if (this.cost[cell] == 0 || cost < this.cost[cell]) {
        this.cost[cell] = cost;
        this.rest[cell] = rest;
      }
    }
  }

  /** Sorts the range's lone numbers by weight into `picked` and prices the list. */
  private listCost(i: i32, j: i32, rest: i32): f64 {
    const count = this.pick(i, j, rest);
    let remaining = this.prefix[j + 1] - this.prefix[i];
    let cost = this.sizePrice * count;
    for (let position = 0; position < count; position++) {
      cost += remaining;
      remaining -= this.segments.weight[this.picked[position]];
    }
    return cost;
  }

  private pick(i: i32, j: i32, rest: i32): i32 {
    let count = 0;
    for (let index = this.origin + i; index <= this.origin + j; index++) {
      if (this.segments.node[index] == rest) continue;
      let position = count++;
      while (position > 0 && this.segments.weight[this.picked[position - 1]] < this.segments.weight[index]) {
        this.picked[position] = this.picked[position - 1];
        position--;
      }
      this.picked[position] = index;
    }
    return count;
  }

  private assemble(i: i32, j: i32): i32 {
    if (i == j) return this.segments.node[this.origin + i];
    const cell = i * this.width + j;
    const split = this.split[cell];
    if (split == NONE) return this.assembleList(i, j, this.rest[cell]);
    const right = this.assemble(split, j);
    const left = this.assemble(i, split - 1);
    return this.graph.tests(JUMP_GREATER_EQUAL, this.segments.first[this.origin + split], right, left);
  }

  private assembleList(i: i32, j: i32, rest: i32): i32 {
    let node = rest;
    for (let position = this.pick(i, j, rest) - 1; position >= 0; position--) {
      const index = this.picked[position];
      node = this.graph.tests(JUMP_EQUAL, this.segments.first[index], this.segments.node[index], node);
    }
    return node;
  }
}
