/**
 * The program before it has an order: a directed acyclic graph of BPF instructions in which equal instructions with
 * equal successors are one node. Sharing of tails, of argument checks between calls and between architectures all
 * follows from that. A child is always made before its parents, so ascending node ids are a topological order.
 */

export const RETURN: u16 = 0x06;
export const LOAD: u16 = 0x20;
export const AND: u16 = 0x54;
export const JUMP: u16 = 0x05;
export const JUMP_EQUAL: u16 = 0x15;
export const JUMP_GREATER: u16 = 0x25;
export const JUMP_GREATER_EQUAL: u16 = 0x35;
export const JUMP_SET: u16 = 0x45;

/** No successor, no node. */
export const NONE: i32 = -1;

/** A graph this large cannot become a program of 4,096 instructions. */
const MAXIMUM_NODES: i32 = 1 << 16;

const INITIAL_CAPACITY: i32 = 2048;

export function grown<T>(array: StaticArray<T>): StaticArray<T> {
  const larger = new StaticArray<T>(array.length << 1);
  memory.copy(changetype<usize>(larger), changetype<usize>(array), array.length * sizeof<T>());
  return larger;
}

export class InstructionGraph {
  count: i32 = 0;
  /** Set once the graph has outgrown every program; results are void from then on. */
  exhausted: bool = false;
  code: StaticArray<u16> = new StaticArray<u16>(INITIAL_CAPACITY);
  k: StaticArray<u32> = new StaticArray<u32>(INITIAL_CAPACITY);
  /** Where a test goes when it holds, or the only successor. */
  onTrue: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  onFalse: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  /** Instructions on the longest path to a return, this one and the return included. */
  height: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private chain: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY);
  private buckets: StaticArray<i32> = new StaticArray<i32>(INITIAL_CAPACITY << 1);

  clear(): void {
    this.count = 0;
    this.exhausted = false;
    memory.fill(changetype<usize>(this.buckets), 0, this.buckets.length * sizeof<i32>());
  }

  returns(action: u32): i32 {
    return this.node(RETURN, action, NONE, NONE);
  }

  /** Loads the 32-bit word at `offset` of `seccomp_data`. */
  loads(offset: u32, next: i32): i32 {
    return this.node(LOAD, offset, next, NONE);
  }

  masks(mask: u32, next: i32): i32 {
    return this.node(AND, mask, next, NONE);
  }

  /** A test whose outcomes agree is no test. */
  tests(code: u16, k: u32, onTrue: i32, onFalse: i32): i32 {
    return onTrue == onFalse ? onTrue : this.node(code, k, onTrue, onFalse);
  }

  private node(code: u16, k: u32, onTrue: i32, onFalse: i32): i32 {
    let hash = (<u32>code * 31 + k) * 0x9e3779b1;
    hash = (hash ^ <u32>onTrue) * 0x85ebca6b;
    hash = (hash ^ (hash >> 15) ^ <u32>onFalse) * 0xc2b2ae35;
    hash ^= hash >> 13;
    let bucket = hash & (this.buckets.length - 1);
    // Buckets hold id + 1, so that zeroed memory is an empty table.
    for (let id = unchecked(this.buckets[bucket]) - 1; id != NONE; id = unchecked(this.chain[id]) - 1) {
      if (unchecked(this.code[id] != code || this.k[id] != k)) continue;
      if (unchecked(this.onTrue[id] == onTrue && this.onFalse[id] == onFalse)) return id;
    }
    if (this.count == MAXIMUM_NODES) {
      this.exhausted = true;
      return 0;
    }
    if (this.count == this.code.length) {
      this.code = grown<u16>(this.code);
      this.k = grown<u32>(this.k);
      this.onTrue = grown<i32>(this.onTrue);
      this.onFalse = grown<i32>(this.onFalse);
      this.height = grown<i32>(this.height);
      this.chain = grown<i32>(this.chain);
    }
    const id = this.count++;
    unchecked((this.code[id] = code));
    unchecked((this.k[id] = k));
    unchecked((this.onTrue[id] = onTrue));
    unchecked((this.onFalse[id] = onFalse));
    const below = onTrue == NONE ? 0 : this.height[onTrue];
    unchecked((this.height[id] = 1 + (onFalse == NONE ? below : max<i32>(below, this.height[onFalse]))));
    unchecked((this.chain[id] = this.buckets[bucket]));
    unchecked((this.buckets[bucket] = id + 1));
    return id;
  }
}
