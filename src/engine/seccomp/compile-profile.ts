/** Profile → BPF program, in every form that `pycri seccomp compile` and the library offer. */
import { RuntimeError } from "../../errors.ts";
import { type ArchitectureName, architectureOf } from "../../profile/architectures.ts";
import { syscallTable } from "../../profile/syscall-tables.ts";
import { decodeProgram, encodeProgram } from "../../seccomp/bpf.ts";
import { type CallWeight, type CompiledFilter, compileFilter } from "../../seccomp/compile.ts";
import { type FilterOptions, type LoadedFilter, loadFilter, readSource, resolveTarget } from "./load-filter.ts";

export interface CompileProfileOptions extends FilterOptions {
  /** `uniform`, or a path to a table of calls and weights (see `readWeights`). */
  readonly weights?: string;
}

/** `program` is in the byte order of the native architecture. */
export interface CompiledProfile extends LoadedFilter, CompiledFilter {}

/** @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT or IO */
export function compileProfile(source: string, options: CompileProfileOptions = {}): CompiledProfile {
  const loaded = loadFilter(source, options);
  const compiled = compileFilter(loaded.filter, {
    ...(options.weights === undefined ? {} : { weights: readWeights(options.weights, loaded.architectures) }),
    // Since Linux 5.11 constant ALLOW costs nothing, so that other calls should come first.
    kernel: isAtLeast(resolveTarget(options).kernel, 5, 11) ? "bitmap" : "interpreter",
  });
  const [native] = loaded.architectures;
  const bigEndian = native !== undefined && architectureOf(native).bigEndian;
  return {
    ...loaded,
    ...compiled,
    program: bigEndian ? encodeProgram(decodeProgram(compiled.program), "big") : compiled.program,
  };
}

function isAtLeast(kernel: { readonly major: number; readonly minor: number }, major: number, minor: number): boolean {
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

/**
 * Lines `CALL WEIGHT`, by name, separated by white space; `#` begins a comment, a heading `call weight` is skipped. A
 * weight counts on every architecture that has the call.
 */
export function readWeights(path: string, architectures: readonly ArchitectureName[]): CallWeight[] | "uniform" {
  if (path === "uniform") return "uniform";
  const weights = new Map<string, number>();
  for (const [index, line] of readSource(path).split("\n").entries()) {
    const [name, text, ...rest] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (name === undefined || name === "" || (name === "call" && text === "weight")) continue;
    const weight = Number(text);
    if (text === undefined || rest.length > 0 || !(weight > 0) || !Number.isFinite(weight))
      throw new RuntimeError(
        "INVALID_ARGUMENT",
        `Cannot read the weights in "${path}": line ${index + 1} is "${line}"`,
        {
          hint: "write a call's name and a positive number on each line",
        },
      );
    weights.set(name, weight);
  }
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

/** The program as the initialiser of a `struct sock_filter[]`. */
export function formatC(program: Uint8Array, order: "little" | "big"): string {
  const lines = decodeProgram(program, order).map(
    ({ code, jumpTrue, jumpFalse, k }) =>
      `  { 0x${code.toString(16).padStart(2, "0")}, ${jumpTrue}, ${jumpFalse}, 0x${k.toString(16).padStart(8, "0")} },\n`,
  );
  return `#include <linux/filter.h>\n\nstatic const struct sock_filter filter[] = {\n${lines.join("")}};\n`;
}
