// world root:component/root
import type * as PycriSeccompTypes from './interfaces/pycri-seccomp-types.js'; // pycri:seccomp/types@1.0.0
import type * as PycriSeccompCompiler from './interfaces/pycri-seccomp-compiler.js'; // pycri:seccomp/compiler@1.0.0
import type * as PycriSeccompProver from './interfaces/pycri-seccomp-prover.js'; // pycri:seccomp/prover@1.0.0
import type * as PycriSeccompAnalyser from './interfaces/pycri-seccomp-analyser.js'; // pycri:seccomp/analyser@1.0.0
import type * as PycriSeccompSimulator from './interfaces/pycri-seccomp-simulator.js'; // pycri:seccomp/simulator@1.0.0
import type * as PycriSeccompDisassembler from './interfaces/pycri-seccomp-disassembler.js'; // pycri:seccomp/disassembler@1.0.0
export interface ImportObject {
}
export interface Root {
  'pycri:seccomp/types@1.0.0': typeof PycriSeccompTypes,
  types: typeof PycriSeccompTypes,
  'pycri:seccomp/compiler@1.0.0': typeof PycriSeccompCompiler,
  compiler: typeof PycriSeccompCompiler,
  'pycri:seccomp/prover@1.0.0': typeof PycriSeccompProver,
  prover: typeof PycriSeccompProver,
  'pycri:seccomp/analyser@1.0.0': typeof PycriSeccompAnalyser,
  analyser: typeof PycriSeccompAnalyser,
  'pycri:seccomp/simulator@1.0.0': typeof PycriSeccompSimulator,
  simulator: typeof PycriSeccompSimulator,
  'pycri:seccomp/disassembler@1.0.0': typeof PycriSeccompDisassembler,
  disassembler: typeof PycriSeccompDisassembler,
}

/**
* Instantiates this component with the provided imports and
* returns a map of all the exports of the component.
*
* This function is intended to be similar to the
* `WebAssembly.Instantiate` constructor. The second `imports`
* argument is the "import object" for wasm, except here it
* uses component-model-layer types instead of core wasm
* integers/numbers/etc.
*
* The first argument to this function, `getCoreModule`, is
* used to compile core wasm modules within the component.
* Components are composed of core wasm modules and this callback
* will be invoked per core wasm module. The caller of this
* function is responsible for reading the core wasm module
* identified by `path` and returning its compiled
* `WebAssembly.Module` object. This would use the
* `WebAssembly.Module` constructor on the web, for example.
*/
export function instantiate(
getCoreModule: (path: string) => WebAssembly.Module,
imports: ImportObject,
instantiateCore?: (module: WebAssembly.Module, imports: Record<string, any>) => WebAssembly.Instance
): Root;

