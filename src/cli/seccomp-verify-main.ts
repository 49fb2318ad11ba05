/** The code behind `pycri seccomp verify`. */

import { RuntimeError } from "../errors.ts";
import { type Difference, type Verification, verifyProgram } from "../engine/seccomp/verify-program.ts";
import type { Invocation } from "./command.ts";
import { writeJson, writeOutput } from "./output.ts";
import { filterOptionsOf, printWarnings, programOf, requiredOperand, sourceOf } from "./seccomp-options.ts";
import type { VerifyValues } from "./seccomp-verify.ts";

const EXIT_STATUS = { proven: 0, refuted: 1, undecided: 2 } as const;

export function execute({ values, operands }: Invocation<VerifyValues>): number {
  const profile = requiredOperand(operands, 0, "PROFILE");
  const program = requiredOperand(operands, 1, "PROGRAM");
  if (profile === "-" && program === "-")
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot read both the profile and the program from standard input", {
      hint: "name a file for one of them",
    });
  const { verification, warnings } = verifyProgram(sourceOf(profile), programOf(program), filterOptionsOf(values));
  printWarnings(warnings);
  if (values.json === true) writeJson(verification);
  else writeOutput(`${render(verification)}\n`);
  return EXIT_STATUS[verification.verdict];
}

function render(verification: Verification): string {
  switch (verification.verdict) {
    case "proven":
      return "proven: the program answers every call as the profile means it";
    case "refuted":
      return `refuted: ${renderDifference(verification.difference)}`;
    case "undecided":
      return verification.instruction === null
        ? "undecided: the proof takes too much memory"
        : `undecided: instruction ${verification.instruction} computes what the proof cannot follow`;
  }
}

function renderDifference({ data, architecture, name, expectedText, actualText }: Difference): string {
  const where = architecture ?? `architecture 0x${data.architecture.toString(16)}`;
  const call = name === "" ? `call ${data.number}` : `${name} (${data.number})`;
  const args = data.args.map((value) => `0x${value.toString(16)}`).join(", ");
  return `${where} ${call} with ${args}: the profile says ${expectedText}, the program ${actualText}`;
}
