/** @module Interface pycri:seccomp/analyser@1.0.0 **/
export function analyse(program: Program, tables: Array<CallTable>, budget: number): Array<ArchitectureOutcomes>;
export type Program = import('./pycri-seccomp-types.js').Program;
export type ProgramFlaw = import('./pycri-seccomp-types.js').ProgramFlaw;
export type Undecided = import('./pycri-seccomp-types.js').Undecided;
export interface CallTable {
  architecture: number,
  size: number,
}
export interface NumberOutcome {
  first: number,
  last: number,
  actions: Uint32Array,
  cached: boolean,
}
export interface ArchitectureOutcomes {
  architecture: number,
  outcomes: Array<NumberOutcome>,
  attachInstructions: bigint,
}
export type AnalyseError = AnalyseErrorInvalidProgram | AnalyseErrorUndecided | AnalyseErrorTooManyTables;
export interface AnalyseErrorInvalidProgram {
  tag: 'invalid-program',
  val: ProgramFlaw,
}
export interface AnalyseErrorUndecided {
  tag: 'undecided',
  val: Undecided,
}
export interface AnalyseErrorTooManyTables {
  tag: 'too-many-tables',
  val: number,
}
