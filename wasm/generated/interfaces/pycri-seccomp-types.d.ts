/** @module Interface pycri:seccomp/types@1.0.0 **/
/**
 * # Variants
 * 
 * ## `"ne"`
 * 
 * ## `"lt"`
 * 
 * ## `"le"`
 * 
 * ## `"eq"`
 * 
 * ## `"ge"`
 * 
 * ## `"gt"`
 * 
 * ## `"masked-eq"`
 */
export type ComparisonOperator = 'ne' | 'lt' | 'le' | 'eq' | 'ge' | 'gt' | 'masked-eq';
export interface Comparison {
  index: number,
  operator: ComparisonOperator,
  value: bigint,
  mask: bigint,
}
export interface Clause {
  comparisons: Array<Comparison>,
  action: number,
}
export interface CallRule {
  number: number,
  argumentBits: number,
  clauses: Array<Clause>,
  otherwise: number,
}
export interface NumberRange {
  first: number,
  last: number,
  action: number,
}
export interface ArchitectureRules {
  auditArchitecture: number,
  bigEndian: boolean,
  calls: Array<CallRule>,
  ranges: Array<NumberRange>,
  defaultAction: number,
}
export interface Filter {
  architectures: Array<ArchitectureRules>,
  unknownArchitecture: number,
}
export type Program = Uint8Array;
export interface SeccompData {
  number: number,
  architecture: number,
  instructionPointer: bigint,
  arguments: [bigint, bigint, bigint, bigint, bigint, bigint],
}
export interface CounterExample {
  call: SeccompData,
  expected: number,
  actual: number,
}
/**
 * # Variants
 * 
 * ## `"duplicate-architecture"`
 * 
 * ## `"unordered-calls"`
 * 
 * ## `"unordered-ranges"`
 * 
 * ## `"argument-index"`
 * 
 * ## `"argument-bits"`
 * 
 * ## `"malformed"`
 * 
 * ## `"too-many-architectures"`
 */
export type FilterFlaw = 'duplicate-architecture' | 'unordered-calls' | 'unordered-ranges' | 'argument-index' | 'argument-bits' | 'malformed' | 'too-many-architectures';
export interface InvalidFilter {
  flaw: FilterFlaw,
  architecture: number,
  number: number,
}
/**
 * # Variants
 * 
 * ## `"length"`
 * 
 * ## `"code"`
 * 
 * ## `"load-offset"`
 * 
 * ## `"memory-index"`
 * 
 * ## `"memory-uninitialised"`
 * 
 * ## `"jump-range"`
 * 
 * ## `"division-by-zero"`
 * 
 * ## `"shift-range"`
 * 
 * ## `"no-return"`
 */
export type ProgramFlawReason = 'length' | 'code' | 'load-offset' | 'memory-index' | 'memory-uninitialised' | 'jump-range' | 'division-by-zero' | 'shift-range' | 'no-return';
export interface ProgramFlaw {
  reason: ProgramFlawReason,
  instruction: number,
}
export interface Undecided {
  instruction?: number,
}
