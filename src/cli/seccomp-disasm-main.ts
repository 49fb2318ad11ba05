/** The code behind `pycri seccomp disasm`. */

import { disassembleProgram } from "../engine/seccomp/disassemble-program.ts";
import { readProgram } from "../engine/seccomp/simulate-calls.ts";
import type { Invocation } from "./command.ts";
import { writeOutput } from "./output.ts";
import type { DisasmValues } from "./seccomp-disasm.ts";
import { requiredOperand } from "./seccomp-options.ts";

export function execute({ values, operands }: Invocation<DisasmValues>): number {
  const operand = requiredOperand(operands, 0, "FILE");
  const program = readProgram(operand === "-" ? "/dev/stdin" : operand);
  const lines = disassembleProgram(program, values["big-endian"] === true ? "big" : "little");
  writeOutput(`${lines.join("\n")}\n`);
  return 0;
}
