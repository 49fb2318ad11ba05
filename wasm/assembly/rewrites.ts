/** The `rewrites` of the WIT: which improvements the running compilation applies. */

export const ORDER_COMPARISONS: u32 = 1 << 0;
export const DROP_SETTLED: u32 = 1 << 1;
export const LOW_HALVES_FIRST: u32 = 1 << 2;
export const SEARCH_CONSTANTS: u32 = 1 << 3;
export const SEPARATE_X32: u32 = 1 << 4;
export const FAVOUR_DEEP: u32 = 1 << 5;
export const NUMBER_LISTS: u32 = 1 << 6;
export const HOT_NUMBERS: u32 = 1 << 7;
export const REPEAT_TESTS: u32 = 1 << 8;

let chosen: u32 = 0;

export function choose(rewrites: u32): void {
  chosen = rewrites;
}

export function applies(rewrite: u32): bool {
  return (chosen & rewrite) != 0;
}
