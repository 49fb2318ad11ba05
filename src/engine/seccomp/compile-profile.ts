/** Profile → BPF program, in every form that `pycri seccomp compile` and the library offer. */
import { RuntimeError } from "../../errors.ts";
import { type ArchitectureName, architectureOf } from "../../profile/architectures.ts";
import { isKnownCall, syscallTable } from "../../profile/syscall-tables.ts";
import { decodeProgram, encodeProgram } from "../../seccomp/bpf.ts";
import type { CallWeight, CompiledFilter, CompileOptions } from "../../seccomp/compile.ts";
import { compileNamed } from "./compile-named.ts";
import { kernelModel } from "./kernel-model.ts";
import { type FilterOptions, type FilterSource, type LoadedFilter, loadFilter, resolveTarget } from "./load-filter.ts";
import { readText } from "./read-input.ts";

export interface CompileProfileOptions extends FilterOptions {
  /** How often calls are made, by name; or `uniform`, which is also meant when absent. */
  readonly weights?: ReadonlyMap<string, number> | "uniform";
}

/** `program` is in the byte order of the native architecture. */
export interface CompiledProfile extends LoadedFilter, CompiledFilter {}

/** @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT or IO */
export function compileProfile(source: FilterSource, options: CompileProfileOptions = {}): CompiledProfile {
  const loaded = loadFilter(source, options);
  const compiled = compileNamed(loaded.filter, compileOptions(options, loaded.architectures));
  const [native] = loaded.architectures;
  const bigEndian = native !== undefined && architectureOf(native).bigEndian;
  return {
    ...loaded,
    ...compiled,
    program: bigEndian ? encodeProgram(decodeProgram(compiled.program), "big") : compiled.program,
  };
}

/** What the compiler is told, for the architectures that are filtered. */
export function compileOptions(
  options: CompileProfileOptions,
  architectures: readonly ArchitectureName[],
): CompileOptions {
  return {
    ...(options.weights === undefined ? {} : { weights: weightsOf(options.weights, architectures) }),
    kernel: kernelModel(resolveTarget(options).kernel),
  };
}

/** A weight counts on every architecture that has the call. */
function weightsOf(
  weights: ReadonlyMap<string, number> | "uniform",
  architectures: readonly ArchitectureName[],
): CallWeight[] | "uniform" {
  if (weights === "uniform") return "uniform";
  return architectures
    .flatMap((architecture) => {
      const { numbers } = syscallTable(architecture);
      return [...weights].flatMap(([name, weight]): CallWeight[] => {
        const number = numbers.get(name);
        return number === undefined
          ? []
          : [{ architecture: architectureOf(architecture).auditArchitecture, number, weight }];
      });
    })
    .sort((a, b) => a.architecture - b.architecture || a.number - b.number);
}

/**
 * A table of weights: lines `CALL WEIGHT`, separated by white space; `#` begins a comment, a heading `call weight` is
 * skipped.
 * @throws RuntimeError INVALID_ARGUMENT or IO
 */
export function readWeights(path: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const [index, line] of readText(path).split("\n").entries()) {
    const [name, text, ...rest] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (name === undefined || name === "" || (name === "call" && text === "weight")) continue;
    const fault = (reason: string): RuntimeError =>
      new RuntimeError("INVALID_ARGUMENT", `Cannot read the weights in "${path}": line ${index + 1} ${reason}`, {
        hint: "write a call's name and a positive number on each line",
      });
    const weight = Number(text);
    if (text === undefined || rest.length > 0 || !(weight > 0) || !Number.isFinite(weight))
      throw fault(`is "${line.trim()}"`);
    if (!isKnownCall(name)) throw fault(`names "${name}", which no architecture has`);
    if (weights.has(name)) throw fault(`names "${name}" again`);
    weights.set(name, weight);
  }
  return weights;
}

/** The program as the initialiser of a `struct sock_filter[]`. */
export function formatC(program: Uint8Array, order: "little" | "big"): string {
  const lines = decodeProgram(program, order).map(
    ({ code, jumpTrue, jumpFalse, k }) =>
      `  { 0x${code.toString(16).padStart(2, "0")}, ${jumpTrue}, ${jumpFalse}, 0x${k.toString(16).padStart(8, "0")} },\n`,
  );
  return `#include <linux/filter.h>\n\nstatic const struct sock_filter filter[] = {\n${lines.join("")}};\n`;
}
