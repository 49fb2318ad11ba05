/**
 * The cheapest search over the segments of an architecture: an alphabetic tree by dynamic programming (Knuth's bounds on
 * the split keep it quadratic) whose leaves may be short lists of `jeq`, which cut a lone number out of its surroundings
 * with one test where a tree needs two. Numbers that are called most of all are then asked for first.
 *
 * The table is the compiler's hot loop. Its elements are whole numbers of 32 and 16 bits, as they stay in the nearest cache
 * and add up in one step, and make ties of equal weights exact. They are read unchecked: every index comes from the loops
 * here.
 */

import { InstructionGraph, JUMP_EQUAL, JUMP_GREATER_EQUAL, NONE } from "./instruction-graph";
import { applies, HOT_NUMBERS, NUMBER_LISTS } from "./rewrites";
import { Segments } from "./segments";

/** Beyond this many segments the table would be too large; the middle of the weight splits them first. */
const TABLE_LIMIT: i32 = 400;

/** All weight, in the table's unit: its costs, which are at most some thirty times that, stay below 2³². */
const TABLE_TOTAL: f64 = <f64>(1 << 26);

/** Lone numbers in one list. */
const LIST_LIMIT: i32 = 4;

/**
 * The least that a test for a hot number has to save, in executed instructions of an average call, when it makes all
 * numbers wait; less where it makes few of them wait.
 */
const HOT_PRICE: f64 = 0.03;

/** How a range is decided: by a split, or by a list that falls to the outcome of the range's first or second segment. */
const SPLIT: u8 = 0;
const LIST: u8 = 1;

/** Keeps its tables from one search to the next: the heap is freed after the whole compilation only. */
export class SearchTree {
  private segments: Segments = new Segments();
  private graph: InstructionGraph;
  /** The price of one instruction of size, in the table's unit. */
  private sizePrice: u32 = 0;
  /** From weights to the whole numbers of the table. */
  private scale: f64 = 0;
  private origin: i32 = 0;
  private width: i32 = 0;
  private prefix: StaticArray<u32> = new StaticArray<u32>(0);
  /** By first and last segment; by last and first as well, so that the loop reads ascending addresses. */
  private cost: StaticArray<u32> = new StaticArray<u32>(0);
  /** The first segment of the right half; bounds the splits of wider ranges where a list is cheaper, too. */
  private split: StaticArray<u16> = new StaticArray<u16>(0);
  /** SPLIT, or LIST plus 0 or 1: which segment of the range has the outcome that the list falls to. */
  private form: StaticArray<u8> = new StaticArray<u8>(0);
  /** What a test for a hot number has to save for each segment that waits. */
  private hotPrice: f64 = 0;
  /** By segment: the weight that the tests above have left over. */
  private left: StaticArray<f64> = new StaticArray<f64>(0);
  /** The lone numbers of a list, by weight. */
  private picked: StaticArray<i32> = new StaticArray<i32>(LIST_LIMIT);

  constructor(graph: InstructionGraph) {
    this.graph = graph;
  }

  /**
   * The node that begins the search.
   * @param graph where its instructions go
   */
  build(segments: Segments, graph: InstructionGraph, sizePrice: f64): i32 {
    this.segments = segments;
    this.graph = graph;
    this.scale = TABLE_TOTAL / segments.total();
    this.sizePrice = <u32>(sizePrice * this.scale);
    this.hotPrice = (HOT_PRICE * segments.total()) / segments.count;
    this.left = new StaticArray<f64>(segments.count);
    memory.copy(changetype<usize>(this.left), changetype<usize>(segments.weight), segments.count << 3);
    return this.buildRange(0, segments.count - 1);
  }

  private buildRange(first: i32, last: i32): i32 {
    if (last - first >= TABLE_LIMIT) {
      const middle = this.middleOf(first, last);
      const right = this.buildRange(middle, last);
      const left = this.buildRange(first, middle - 1);
      return this.graph.tests(JUMP_GREATER_EQUAL, this.segments.first[middle], right, left);
    }
    this.origin = first;
    this.width = last - first + 1;
    this.fillTable();
    return this.assemble(0, this.width - 1);
  }

  /** Where the right half begins: at half the weight, yet not in the outer quarters, so that ranges do shrink. */
  private middleOf(first: i32, last: i32): i32 {
    const quarter = (last - first) >> 2;
    let total: f64 = 0;
    for (let i = first; i <= last; i++) total += this.segments.weight[i];
    let sum: f64 = 0;
    let middle = first;
    while (middle < last - quarter && (middle < first + quarter || sum * 2 < total)) {
      sum += this.segments.weight[middle++];
    }
    return middle;
  }

  private fillTable(): void {
    const n = this.width;
    if (this.form.length < n * n) {
      this.prefix = new StaticArray<u32>(n + 1);
      this.cost = new StaticArray<u32>(n * n);
      this.split = new StaticArray<u16>(n * n);
      this.form = new StaticArray<u8>(n * n);
    }
    const prefix = this.prefix;
    const cost = this.cost;
    const split = this.split;
    const form = this.form;
    const sizePrice = this.sizePrice;
    // No list yet.
    memory.fill(changetype<usize>(cost), 0xff, (n * n) << 2);
    prefix[0] = 0;
    for (let i = 0; i < n; i++) {
      unchecked((prefix[i + 1] = prefix[i] + this.scaled(this.origin + i)));
      unchecked((cost[i * n + i] = 0));
      unchecked((split[i * n + i] = <u16>i));
    }
    if (applies(NUMBER_LISTS)) this.fillLists();
    for (let i = n - 2; i >= 0; i--) {
      const row = i * n;
      let low = i + 1;
      for (let j = i + 1; j < n; j++) {
        const cell = row + j;
        const column = j * n;
        const high = <i32>unchecked(split[cell + n]);
        let best = u32.MAX_VALUE;
        let at = low;
        // Lists disturb the order of the bounds now and then; the lower one is tried in any case.
        let k = low;
        do {
          const candidate = unchecked(cost[row + k - 1] + cost[column + k]);
          if (candidate < best) {
            best = candidate;
            at = k;
          }
          k++;
        } while (k <= high);
        low = at;
        unchecked((split[cell] = <u16>at));
        best += unchecked(prefix[j + 1] - prefix[i]) + sizePrice;
        // Of a list and a split that cost the same the split stays, as a test for a hot number can spare part of it; not of
        // two segments, where `jeq` is the likelier one to be there already.
        if (unchecked(cost[cell]) < best + <u32>(j == i + 1)) best = unchecked(cost[cell]);
        else unchecked((form[cell] = SPLIT));
        unchecked((cost[cell] = best));
        unchecked((cost[column + i] = best));
      }
    }
  }

  /** A segment's weight in the table. */
  private scaled(index: i32): u32 {
    return <u32>(unchecked(this.segments.weight[index]) * this.scale + 0.5);
  }

  /** Enters every range that a list can decide, with the list's cost. */
  private fillLists(): void {
    for (let i = 0; i < this.width - 1; i++) {
      this.fillListsFrom(i, 0);
      this.fillListsFrom(i, 1);
    }
  }

  /** The lists of ranges that begin at `i` and fall to the outcome of their segment `restAt`. */
  private fillListsFrom(i: i32, restAt: i32): void {
    const n = this.width;
    const node = this.segments.node;
    const rest = unchecked(node[this.origin + i + restAt]);
    let count = 0;
    for (let j = i; j < n; j++) {
      const index = this.origin + j;
      if (unchecked(node[index]) != rest) {
        if (count == LIST_LIMIT || !this.segments.isSingle(index)) return;
        this.pick(index, count++);
      }
      if (j == i || count == 0) continue;
      const cost = this.listCost(i, j, count);
      const cell = i * n + j;
      if (cost < unchecked(this.cost[cell])) {
        unchecked((this.cost[cell] = cost));
        unchecked((this.form[cell] = LIST + <u8>restAt));
      }
    }
  }

  /** The price of the list of `picked` for a range. */
  private listCost(i: i32, j: i32, count: i32): u32 {
    let remaining = unchecked(this.prefix[j + 1] - this.prefix[i]);
    let cost = this.sizePrice * count;
    for (let position = 0; position < count; position++) {
      cost += remaining;
      remaining -= this.scaled(unchecked(this.picked[position]));
    }
    return cost;
  }

  /** Puts a lone number among the first `count` of `picked`, heavier ones first. */
  private pick(index: i32, count: i32): void {
    const picked = this.picked;
    const weight = this.segments.weight;
    let position = count;
    while (position > 0 && unchecked(weight[picked[position - 1]] < weight[index])) {
      unchecked((picked[position] = picked[position - 1]));
      position--;
    }
    unchecked((picked[position] = index));
  }

  private assemble(i: i32, j: i32): i32 {
    if (i == j) return unchecked(this.segments.node[this.origin + i]);
    const hot = applies(HOT_NUMBERS) ? this.hotIn(i, j) : NONE;
    if (hot != NONE) {
      unchecked((this.left[hot] -= this.segments.hotWeight[hot]));
      const others = this.assemble(i, j);
      return unchecked(this.graph.tests(JUMP_EQUAL, this.segments.hot[hot], this.segments.node[hot], others));
    }
    const cell = i * this.width + j;
    const form = unchecked(this.form[cell]);
    if (form != SPLIT) return this.assembleList(i, j, form - LIST);
    const split = unchecked(this.split[cell]);
    const right = this.assemble(split, j);
    const left = this.assemble(i, split - 1);
    return unchecked(this.graph.tests(JUMP_GREATER_EQUAL, this.segments.first[this.origin + split], right, left));
  }

  /**
   * The segment whose hot number is worth a test of its own above a range: the tests that it saves weigh more than the
   * one that it costs all numbers of the range.
   */
  private hotIn(i: i32, j: i32): i32 {
    let total: f64 = 0;
    let hottest = NONE;
    let most: f64 = 0;
    for (let index = this.origin + i; index <= this.origin + j; index++) {
      const left = unchecked(this.left[index]);
      const weight = unchecked(this.segments.hotWeight[index]);
      total += left + this.hotPrice;
      // Its weight is gone where a test above has taken it out.
      if (weight > most && left >= weight) {
        most = weight;
        hottest = index;
      }
    }
    return hottest != NONE && most * this.testsAbove(i, j, hottest - this.origin) > total ? hottest : NONE;
  }

  /** How many tests lead from a range to one of its segments; a list counts as one. */
  private testsAbove(i: i32, j: i32, at: i32): i32 {
    let tests = 0;
    while (i < j) {
      tests++;
      const cell = i * this.width + j;
      if (unchecked(this.form[cell]) != SPLIT) break;
      const split = <i32>unchecked(this.split[cell]);
      if (at < split) j = split - 1;
      else i = split;
    }
    return tests;
  }

  private assembleList(i: i32, j: i32, restAt: i32): i32 {
    let node = unchecked(this.segments.node[this.origin + i + restAt]);
    const rest = node;
    let count = 0;
    for (let index = this.origin + i; index <= this.origin + j; index++) {
      if (unchecked(this.segments.node[index]) != rest) this.pick(index, count++);
    }
    for (let position = count - 1; position >= 0; position--) {
      const index = unchecked(this.picked[position]);
      node = unchecked(this.graph.tests(JUMP_EQUAL, this.segments.first[index], this.segments.node[index], node));
    }
    return node;
  }
}
