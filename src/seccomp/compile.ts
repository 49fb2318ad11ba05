/**
 * The one door to the component that was built: loads it when it is first needed, synchronously, and shares one
 * `Compiler` among all callers.
 */

import { existsSync } from "node:fs";
import type { ArchitectureOutcomes, CompiledFilter, CompileOptions, Verdict } from "./compilation.ts";
import { Compiler, type Component } from "./compiler.ts";
import type { Filter } from "./filter.ts";
import { loadBundle } from "../sys/bundle.ts";

export type { CallWeight, CompiledFilter, CompileOptions, CounterExample, Verdict } from "./compilation.ts";

/** Beside the bundle that this file becomes part of, or as seen from `build/src/seccomp/`. */
const LOCATIONS = ["seccomp-component.cjs", "../../../dist/seccomp-component.cjs"];

interface ComponentModule {
  instantiateComponent(): Component;
}

function loadComponent(): ComponentModule {
  const location = LOCATIONS.map((path) => `${import.meta.dirname}/${path}`).find(existsSync);
  if (location === undefined) throw new Error("the compiler component is not built");
  // It asks for Node's modules only.
  return loadBundle(location, process.getBuiltinModule);
}

const compiler = new Compiler(() => loadComponent().instantiateComponent());

/** Node's types declare the namespace without its values. */
declare const WebAssembly: { readonly RuntimeError: new () => Error };

/**
 * See `Compiler.compile`. Searching for constants can outgrow the component's memory where a call has hundreds of
 * conditions on several arguments; they are then tried in turn.
 */
export function compileFilter(filter: Filter, options?: CompileOptions): CompiledFilter {
  try {
    return compiler.compile(filter, options);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return compiler.compile(filter, { ...options, without: [...(options?.without ?? []), "searchConstants"] });
  }
}

/** See `Compiler.prove`. */
export function proveFilter(filter: Filter, program: Uint8Array): Verdict {
  return compiler.prove(filter, program);
}

/** See `Compiler.analyse`. */
export function analyseProgram(
  program: Uint8Array,
  architectures: readonly number[],
  tableSize?: number,
): readonly ArchitectureOutcomes[] {
  return compiler.analyse(program, architectures, tableSize);
}

/** See `Compiler.disassemble`. */
export function disassembleInComponent(program: Uint8Array): readonly string[] {
  return compiler.disassemble(program);
}
