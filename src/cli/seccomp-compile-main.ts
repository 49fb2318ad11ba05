/** The code behind `pycri seccomp compile`. */

import { writeFileSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import {
  type CompiledProfile,
  compileProfile,
  type CompileProfileOptions,
  formatC,
  readWeights,
} from "../engine/seccomp/compile-profile.ts";
import { disassembleProgram } from "../engine/seccomp/disassemble-program.ts";
import type { FilterSource } from "../engine/seccomp/load-filter.ts";
import { formatProfileCost, profileCost } from "../engine/seccomp/profile-cost.ts";
import { architectureOf } from "../profile/architectures.ts";
import type { ProfileWarning } from "../profile/profile.ts";
import { decodeProgram } from "../seccomp/bpf.ts";
import type { Invocation } from "./command.ts";
import { writeOutput } from "./output.ts";
import type { CompileValues } from "./seccomp-compile.ts";
import { filterOptionsOf, printWarnings, requiredOperand, sourceOf } from "./seccomp-options.ts";

export function execute({ values, operands }: Invocation<CompileValues>): number {
  const format = values.format ?? "bpf";
  if (format === "bpf" && values.output === undefined && process.stdout.isTTY)
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot write a binary program to a terminal", {
      hint: "name a file with -o, or choose --format asm, c or json",
    });
  const source = sourceOf(requiredOperand(operands, 0, "PROFILE"));
  const options: CompileProfileOptions = {
    ...filterOptionsOf(values),
    ...(values.weights === undefined
      ? {}
      : { weights: values.weights === "uniform" ? "uniform" : readWeights(values.weights) }),
  };
  const { warnings, output } = format === "cost" ? printCost(source, options) : printProgram(source, options, format);
  printWarnings(warnings);
  if (values.output === undefined) writeOutput(output);
  else writeFile(values.output, output);
  return 0;
}

interface Printed {
  readonly warnings: readonly ProfileWarning[];
  readonly output: string | Uint8Array;
}

function printCost(source: FilterSource, options: CompileProfileOptions): Printed {
  const cost = profileCost(source, options);
  return { warnings: cost.warnings, output: `${formatProfileCost(cost).join("\n")}\n` };
}

function printProgram(source: FilterSource, options: CompileProfileOptions, format: string): Printed {
  const compiled = compileProfile(source, options);
  return { warnings: compiled.warnings, output: render(compiled, format) };
}

function render(compiled: CompiledProfile, format: string): string | Uint8Array {
  const { program, architectures, flags, instructionCount, measure, proven } = compiled;
  const [native] = architectures;
  const order = native !== undefined && architectureOf(native).bigEndian ? "big" : "little";
  switch (format) {
    case "asm":
      return `${disassembleProgram(program, order).join("\n")}\n`;
    case "c":
      return formatC(program, order);
    case "json": {
      const instructions = decodeProgram(program, order).map(({ code, jumpTrue, jumpFalse, k }) => [
        code,
        jumpTrue,
        jumpFalse,
        k,
      ]);
      const head = JSON.stringify(
        { architectures, flags, byteOrder: order, instructionCount, measure, proven },
        null,
        2,
      );
      // One instruction a line: pretty-printing would make it five.
      const lines = instructions.map((instruction) => `    ${JSON.stringify(instruction)}`).join(",\n");
      return `${head.slice(0, -2)},\n  "instructions": [\n${lines}\n  ]\n}\n`;
    }
    default:
      return program;
  }
}

function writeFile(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new RuntimeError("IO", `Cannot write "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
}
