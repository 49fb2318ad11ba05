/** The code behind `pycri seccomp disasm`. */

import { disassembleProgram } from "../engine/seccomp/disassemble-program.ts";
import type { Invocation } from "./command.ts";
import { writeOutput } from "./output.ts";
import type { DisasmValues } from "./seccomp-disasm.ts";
import { programOf, requiredOperand } from "./seccomp-options.ts";

export function execute({ values, operands }: Invocation<DisasmValues>): number {
  const program = programOf(requiredOperand(operands, 0, "FILE"));
  const lines = disassembleProgram(program, values["big-endian"] === true ? "big" : "little");
  writeOutput(`${lines.join("\n")}\n`);
  return 0;
}
