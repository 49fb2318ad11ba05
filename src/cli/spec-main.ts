/** The code behind `pycri spec`. */

import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { callerContext } from "../engine/request/caller-context.ts";
import { type SpecOfRun, specOfRun } from "../engine/spec.ts";
import { RuntimeError } from "../errors.ts";
import { readImageSettings } from "../host/image-settings.ts";
import { formatSpec } from "../oci/format-spec.ts";
import type { Invocation } from "./command.ts";
import { imageChoiceOf } from "./images/image-choice.ts";
import { writeOutput, writeWarning } from "./output.ts";
import { runOptionsOf } from "./run-options.ts";
import type { SpecValues } from "./spec.ts";

export async function execute({ values, operands }: Invocation<SpecValues>): Promise<number> {
  const bundle = values.bundle === undefined ? null : resolve(values.bundle);
  if (bundle !== null && values.output !== undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot use --bundle together with --output", {
      hint: "A bundle's Spec is its config.json.",
    });
  }
  const made = bundle !== null && makeDirectory(bundle);
  const context = {
    environment: process.env,
    caller: callerContext(process.env, values.tty === true, writeWarning),
    imageSettings: (home: string | null) => readImageSettings(process.env, home),
  };
  let result: SpecOfRun;
  try {
    result = await specOfRun(runOptionsOf(values, operands), imageChoiceOf(values), context, bundle);
  } catch (error) {
    if (bundle !== null && made) rmdirSync(bundle);
    throw error;
  }
  const { spec, warnings } = result;
  warnings.forEach(writeWarning);
  const text = `${formatSpec(spec)}\n`;
  const file = bundle === null ? values.output : `${bundle}/config.json`;
  if (file === undefined) writeOutput(text);
  else writeFile(file, text);
  return 0;
}

/** @returns false when it is there already. */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
    if (code === "EEXIST") return false;
    throw new RuntimeError("IO", `Cannot make "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
    throw new RuntimeError("IO", `Cannot write "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
}
