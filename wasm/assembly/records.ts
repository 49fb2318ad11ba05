/**
 * The WIT records as the canonical ABI lays them out in memory. `@unmanaged` classes have exactly that layout: fields in
 * order, each at its natural alignment. A list is a pointer and a count.
 */

@unmanaged
export class Comparison {
  index: u8;
  operator: u8;
  value: u64;
  mask: u64;
}

@unmanaged
export class Clause {
  comparisons: usize;
  comparisonCount: u32;
  action: u32;
}

@unmanaged
export class CallRule {
  number: u32;
  argumentBits: u8;
  clauses: usize;
  clauseCount: u32;
  otherwise: u32;
}

@unmanaged
export class NumberRange {
  first: u32;
  last: u32;
  action: u32;
}

@unmanaged
export class ArchitectureRules {
  auditArchitecture: u32;
  bigEndian: bool;
  calls: usize;
  callCount: u32;
  ranges: usize;
  rangeCount: u32;
  defaultAction: u32;
}

@unmanaged
export class CallWeight {
  architecture: u32;
  number: u32;
  weight: u32;
}

@unmanaged
export class CallTable {
  architecture: u32;
  size: u32;
}

/** `comparison-operator`. */
export const NE: u8 = 0;
export const LT: u8 = 1;
export const LE: u8 = 2;
export const EQ: u8 = 3;
export const GE: u8 = 4;
export const GT: u8 = 5;
export const MASKED_EQ: u8 = 6;
