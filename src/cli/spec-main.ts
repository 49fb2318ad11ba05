/** The code behind `pycri spec`. */

import { writeFileSync } from "node:fs";
import { callerContext } from "../engine/request/caller-context.ts";
import { specOfRun } from "../engine/spec.ts";
import { RuntimeError } from "../errors.ts";
import { readImageSettings } from "../host/image-settings.ts";
import { formatSpec } from "../oci/format-spec.ts";
import type { Invocation } from "./command.ts";
import { imageChoiceOf } from "./images/image-choice.ts";
import { writeOutput, writeWarning } from "./output.ts";
import { runOptionsOf } from "./run-options.ts";
import type { SpecValues } from "./spec.ts";

export async function execute({ values, operands }: Invocation<SpecValues>): Promise<number> {
  const { spec, warnings } = await specOfRun(runOptionsOf(values, operands), imageChoiceOf(values), {
    environment: process.env,
    caller: callerContext(process.env, values.tty === true, writeWarning),
    imageSettings: (home) => readImageSettings(process.env, home),
  });
  warnings.forEach(writeWarning);
  const text = `${formatSpec(spec)}\n`;
  if (values.output === undefined) writeOutput(text);
  else writeFile(values.output, text);
  return 0;
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
    throw new RuntimeError("IO", `Cannot write "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
}
