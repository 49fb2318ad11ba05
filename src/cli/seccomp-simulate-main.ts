/** The code behind `pycri seccomp simulate`. */

import { closeSync, openSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { prepareSimulation, simulateCall, simulateVectors } from "../engine/seccomp/simulate-calls.ts";
import type { Invocation } from "./command.ts";
import { writeJson, writeOutput } from "./output.ts";
import { filterOptionsOf, requiredOperand } from "./seccomp-options.ts";
import type { SimulateValues } from "./seccomp-simulate.ts";

const STANDARD_INPUT = 0;

export function execute({ values, operands }: Invocation<SimulateValues>): number {
  const options = filterOptionsOf(values);
  const program = prepareSimulation(
    values.bpf === undefined
      ? { kind: "profile", source: requiredOperand(operands, 0, "PROFILE"), options }
      : { kind: "program", path: values.bpf },
  );
  const words = values.bpf === undefined ? operands.slice(1) : operands;
  if (values.vectors !== undefined) {
    if (words.length > 0)
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot use "${words.join(" ")}": --vectors names the calls`);
    return withDescriptor(values.vectors, (descriptor) => {
      simulateVectors(program, descriptor, writeOutput);
      return 0;
    });
  }

  const [architecture] = options.architectures ?? [];
  const call = simulateCall(program, requiredOperand(words, 0, "CALL"), words.slice(1), architecture);
  if (values.json === true) writeJson({ ...call, args: call.args.map((value) => `0x${value.toString(16)}`) });
  else writeOutput(`${call.text}\n`);
  return 0;
}

function withDescriptor(path: string, use: (descriptor: number) => number): number {
  if (path === "-") return use(STANDARD_INPUT);
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new RuntimeError("IO", `Cannot read "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
