/**
 * The call numbers of one architecture as consecutive segments of equal outcome, each with the weight of its calls.
 */

import { grown } from "./instruction-graph";

export class Segments {
  count: i32 = 0;
  /** First number; a segment ends where the next one begins, the last at 2³²−1. */
  first: StaticArray<u32> = new StaticArray<u32>(128);
  /** The node that a call of the segment goes to. */
  node: StaticArray<i32> = new StaticArray<i32>(128);
  weight: StaticArray<f64> = new StaticArray<f64>(128);

  /** Adds numbers from `first` on; merges with the segment before when the outcome is the same. */
  add(first: u32, node: i32): void {
    if (this.count > 0 && this.node[this.count - 1] == node) return;
    if (this.count == this.first.length) {
      this.first = grown<u32>(this.first);
      this.node = grown<i32>(this.node);
      this.weight = grown<f64>(this.weight);
    }
    this.first[this.count] = first;
    this.node[this.count] = node;
    this.weight[this.count] = 0;
    this.count++;
  }

  last(index: i32): u32 {
    return index + 1 < this.count ? this.first[index + 1] - 1 : u32.MAX_VALUE;
  }

  isSingle(index: i32): bool {
    return this.first[index] == this.last(index);
  }

  /** The segment that contains `number`. */
  find(number: u32): i32 {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.first[middle] <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
