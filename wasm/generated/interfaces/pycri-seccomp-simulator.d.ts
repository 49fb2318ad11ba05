/** @module Interface pycri:seccomp/simulator@1.0.0 **/
export function simulate(program: Program, calls: Uint8Array): Array<Execution>;
export type Program = import('./pycri-seccomp-types.js').Program;
export type ProgramFlaw = import('./pycri-seccomp-types.js').ProgramFlaw;
export interface Execution {
  action: number,
  executed: number,
}
