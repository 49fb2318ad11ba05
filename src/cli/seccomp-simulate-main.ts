/** The code behind `pycri seccomp simulate`. */

import { RuntimeError } from "../errors.ts";
import { withFile } from "../engine/seccomp/read-input.ts";
import { prepareSimulation, simulateCall, simulateVectors } from "../engine/seccomp/simulate-calls.ts";
import type { Invocation } from "./command.ts";
import { writeJson, writeOutput } from "./output.ts";
import { filterOptionsOf, programOf, requiredOperand, sourceOf } from "./seccomp-options.ts";
import type { SimulateValues } from "./seccomp-simulate.ts";

const STANDARD_INPUT = 0;

export function execute({ values, operands }: Invocation<SimulateValues>): number {
  const options = filterOptionsOf(values);
  if (values.vectors === "-" && (values.bpf ?? operands[0]) === "-")
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot read both the filter and the calls from standard input", {
      hint: "name a file for one of them",
    });
  const program = prepareSimulation(
    values.bpf === undefined
      ? { profile: sourceOf(requiredOperand(operands, 0, "PROFILE")) }
      : { program: programOf(values.bpf) },
    options,
  );
  const words = values.bpf === undefined ? operands.slice(1) : operands;
  if (values.vectors !== undefined) {
    if (words.length > 0)
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot use "${words.join(" ")}": --vectors names the calls`);
    const run = (descriptor: number): number => simulateVectors(program, descriptor, writeOutput);
    if (values.vectors === "-") run(STANDARD_INPUT);
    else withFile(values.vectors, run);
    return 0;
  }

  const [architecture] = options.architectures ?? [];
  const call = simulateCall(program, requiredOperand(words, 0, "CALL"), words.slice(1), architecture);
  if (values.json === true) writeJson({ ...call, args: call.args.map((value) => `0x${value.toString(16)}`) });
  else writeOutput(`${call.text}\n`);
  return 0;
}
