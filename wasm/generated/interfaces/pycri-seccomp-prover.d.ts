/** @module Interface pycri:seccomp/prover@1.0.0 **/
export function prove(program: Program, filter: Filter, budget: number): Verdict;
export type Filter = import('./pycri-seccomp-types.js').Filter;
export type Program = import('./pycri-seccomp-types.js').Program;
export type CounterExample = import('./pycri-seccomp-types.js').CounterExample;
export type InvalidFilter = import('./pycri-seccomp-types.js').InvalidFilter;
export type ProgramFlaw = import('./pycri-seccomp-types.js').ProgramFlaw;
export type Undecided = import('./pycri-seccomp-types.js').Undecided;
export type Verdict = VerdictProven | VerdictRefuted;
export interface VerdictProven {
  tag: 'proven',
}
export interface VerdictRefuted {
  tag: 'refuted',
  val: CounterExample,
}
export type ProveError = ProveErrorInvalidFilter | ProveErrorInvalidProgram | ProveErrorUndecided;
export interface ProveErrorInvalidFilter {
  tag: 'invalid-filter',
  val: InvalidFilter,
}
export interface ProveErrorInvalidProgram {
  tag: 'invalid-program',
  val: ProgramFlaw,
}
export interface ProveErrorUndecided {
  tag: 'undecided',
  val: Undecided,
}
