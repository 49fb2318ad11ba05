/**
 * The call numbers of one architecture as consecutive segments of equal outcome, each with the weight of its calls.
 */

import { grown, InstructionGraph } from "./instruction-graph";

/** 2 to an exponent of zero or less; below 2⁻⁶³ nothing matters. */
function powerOfTwo(exponent: i32): f64 {
  return exponent < -63 ? 0 : 1 / <f64>((<u64>1) << -exponent);
}

export class Segments {
  count: i32 = 0;
  /** First number; a segment ends where the next one begins, the last at 2³²−1. */
  first: StaticArray<u32> = new StaticArray<u32>(128);
  /** The node that a call of the segment goes to. */
  node: StaticArray<i32> = new StaticArray<i32>(128);
  weight: StaticArray<f64> = new StaticArray<f64>(128);
  /** The number with the largest weight of its own, and that weight; none is hot where it is zero. */
  hot: StaticArray<u32> = new StaticArray<u32>(128);
  hotWeight: StaticArray<f64> = new StaticArray<f64>(128);
  /** How many of its numbers the filter lists. */
  listed: StaticArray<i32> = new StaticArray<i32>(128);

  /** Adds numbers from `first` on; merges with the segment before when the outcome is the same. */
  add(first: u32, node: i32): void {
    if (this.count > 0 && this.node[this.count - 1] == node) return;
    if (this.count == this.first.length) {
      this.first = grown<u32>(this.first);
      this.node = grown<i32>(this.node);
      this.weight = grown<f64>(this.weight);
      this.listed = grown<i32>(this.listed);
      this.hot = grown<u32>(this.hot);
      this.hotWeight = grown<f64>(this.hotWeight);
    }
    unchecked((this.first[this.count] = first));
    unchecked((this.node[this.count] = node));
    unchecked((this.weight[this.count] = 0));
    unchecked((this.listed[this.count] = 0));
    unchecked((this.hotWeight[this.count] = 0));
    this.count++;
  }

  /** Segments `from` to before `end`, with their weights. */
  copy(from: i32, end: i32): Segments {
    const copy = new Segments();
    for (let i = from; i < end; i++) {
      copy.add(this.first[i], this.node[i]);
      const at = copy.count - 1;
      unchecked((copy.weight[at] = this.weight[i]));
      unchecked((copy.hot[at] = this.hot[i]));
      unchecked((copy.hotWeight[at] = this.hotWeight[i]));
    }
    return copy;
  }

  last(index: i32): u32 {
    return index + 1 < this.count ? unchecked(this.first[index + 1]) - 1 : u32.MAX_VALUE;
  }

  isSingle(index: i32): bool {
    return unchecked(this.first[index]) == this.last(index);
  }

  /**
   * Adds `share` of the total weight, spread so that deep outcomes come up early: each segment gets weight in
   * proportion to two to the power of its height, which is how the shallowest tree would see them.
   */
  favourDeep(graph: InstructionGraph, share: f64): void {
    const weight = this.weight;
    const power = new StaticArray<f64>(this.count);
    let total: f64 = 0;
    let powers: f64 = 0;
    let highest: i32 = 0;
    for (let i = 0; i < this.count; i++) highest = max(highest, unchecked(graph.height[this.node[i]]));
    for (let i = 0; i < this.count; i++) {
      total += unchecked(weight[i]);
      const own = powerOfTwo(unchecked(graph.height[this.node[i]]) - highest);
      unchecked((power[i] = own));
      powers += own;
    }
    const unit = (share * total) / powers;
    for (let i = 0; i < this.count; i++) unchecked((weight[i] += unit * power[i]));
  }

  total(): f64 {
    let sum: f64 = 0;
    for (let i = 0; i < this.count; i++) sum += unchecked(this.weight[i]);
    return sum;
  }

  /** The segment that contains `number`. */
  find(number: u32): i32 {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (unchecked(this.first[middle]) <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
