/** @module Interface pycri:seccomp/disassembler@1.0.0 **/
export function disassemble(program: Program): Array<string>;
export type Program = import('./pycri-seccomp-types.js').Program;
export type ProgramFlaw = import('./pycri-seccomp-types.js').ProgramFlaw;
