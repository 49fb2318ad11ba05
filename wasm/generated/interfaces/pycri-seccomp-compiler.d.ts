/** @module Interface pycri:seccomp/compiler@1.0.0 **/
export function compile(filter: Filter, options: CompileOptions): Compiled;
export type Filter = import('./pycri-seccomp-types.js').Filter;
export type Program = import('./pycri-seccomp-types.js').Program;
export type CounterExample = import('./pycri-seccomp-types.js').CounterExample;
export type InvalidFilter = import('./pycri-seccomp-types.js').InvalidFilter;
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
export interface Rewrites {
  orderComparisons?: boolean,
  dropSettled?: boolean,
  lowHalvesFirst?: boolean,
  searchConstants?: boolean,
  separateX32?: boolean,
  favourDeep?: boolean,
  numberLists?: boolean,
  hotNumbers?: boolean,
  repeatTests?: boolean,
}
export interface CompileOptions {
  weights: Array<CallWeight>,
  baseWeight: number,
  kernel: KernelModel,
  rewrites: Rewrites,
  proofBudget: number,
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
  proven: boolean,
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
export type CompileError = CompileErrorInvalidFilter | CompileErrorTooLarge | CompileErrorMiscompiled;
export interface CompileErrorInvalidFilter {
  tag: 'invalid-filter',
  val: InvalidFilter,
}
export interface CompileErrorTooLarge {
  tag: 'too-large',
  val: TooLarge,
}
export interface CompileErrorMiscompiled {
  tag: 'miscompiled',
  val: CounterExample,
}
