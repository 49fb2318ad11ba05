/** @module Interface pycri:seccomp/compiler@1.0.0 **/
export function compile(filter: Filter, options: CompileOptions): Compiled;
export type Filter = import('./pycri-seccomp-types.js').Filter;
export type Program = import('./pycri-seccomp-types.js').Program;
export interface CallWeight {
  architecture: number,
  number: number,
  weight: number,
}
/**
 * # Variants
 * 
 * ## `"bitmap"`
 * 
 * ## `"interpreter"`
 */
export type KernelModel = 'bitmap' | 'interpreter';
export interface CompileOptions {
  weights: Array<CallWeight>,
  baseWeight: number,
  kernel: KernelModel,
}
export interface Measure {
  instructions: number,
  weighted: number,
  uniform: number,
  worst: number,
}
export interface Compiled {
  program: Program,
  measure: Measure,
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
 */
export type FilterFlaw = 'duplicate-architecture' | 'unordered-calls' | 'unordered-ranges' | 'argument-index' | 'argument-bits' | 'malformed';
export interface InvalidFilter {
  flaw: FilterFlaw,
  architecture: number,
  number: number,
}
export interface CallCost {
  architecture: number,
  number: number,
  instructions: number,
}
export interface TooLarge {
  instructions: number,
  limit: number,
  costliest: Array<CallCost>,
}
export type CompileError = CompileErrorInvalidFilter | CompileErrorTooLarge;
export interface CompileErrorInvalidFilter {
  tag: 'invalid-filter',
  val: InvalidFilter,
}
export interface CompileErrorTooLarge {
  tag: 'too-large',
  val: TooLarge,
}
