/**
 * The component's linear memory as the canonical ABI sees it: allocation on behalf of the host, and views of the lists
 * that the host lowered. Everything lives on the stub runtime's bump heap, which `release` empties after each call, so
 * no module-level variable may refer to it.
 */

/** More than any filter needs: 4,096 instructions cannot express more rules than this holds. */
const MAXIMUM_ALLOCATION: usize = 16 << 20;

/** `cabi_realloc`: the host's allocator for lowered arguments. An allocation that cannot be served traps, as the ABI has it. */
export function reallocate(pointer: usize, oldSize: usize, alignment: usize, newSize: usize): usize {
  if (newSize == 0) return alignment;
  if (newSize > MAXIMUM_ALLOCATION) unreachable();
  const moved = heap.alloc(newSize);
  if (oldSize != 0) memory.copy(moved, pointer, min(oldSize, newSize));
  return moved;
}

/** `cabi_post_*`, given the result that the host has read. Empties the heap; every pointer handed out before is void. */
export function release(result: usize): void {
  heap.reset();
}

/** Where the memory ends that the host has allocated for the call in progress. */
let lowered: usize = 0;

/** To be called before anything else is allocated in a call. */
export function beginCall(): void {
  lowered = heap.alloc(0);
}

/**
 * Whether `count` elements of `size` bytes at `pointer` lie, aligned, in what the host has allocated. A conforming host
 * sees to that; a broken one gets an error instead of a trap.
 */
export function listFits(pointer: usize, count: u32, size: u32, alignment: u32): bool {
  if (count == 0) return true;
  const end = <u64>pointer + <u64>count * <u64>size;
  return pointer % alignment == 0 && pointer >= __heap_base && end <= <u64>lowered;
}
