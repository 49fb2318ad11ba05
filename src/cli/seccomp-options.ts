/** Options that the commands on profiles share, and what they mean to the engine. */

import { RuntimeError } from "../errors.ts";
import type { FilterOptions, FilterSource } from "../engine/seccomp/load-filter.ts";
import { readStandardInputProgram, readStandardInputText } from "../engine/seccomp/read-input.ts";
import type { ProfileWarning } from "../profile/profile.ts";
import type { OperandDefinition, OptionValues } from "./command.ts";
import { writeWarning } from "./output.ts";

/** How a profile is resolved. */
export const PROFILE_OPTIONS = {
  arch: {
    type: "list",
    value: "ARCH[,ARCH…]",
    help: "architectures to filter, the native one first; this machine's and what the profile adds by default",
  },
  cap: {
    type: "list",
    value: "CAP",
    help: "take a capability as granted (or ALL), for rules that depend on it; none is by default",
  },
  kernel: {
    type: "value",
    value: "X.Y",
    help: "kernel version, for rules that depend on it; the running one by default",
  },
  "format-in": {
    type: "value",
    value: "FORMAT",
    choices: ["profile", "rules"],
    help: "profile (Docker, Podman, Kubernetes or OCI JSON) or rules (a flat list)",
  },
} as const;

export type ProfileValues = OptionValues<typeof PROFILE_OPTIONS>;

export const PROFILE_OPERAND: OperandDefinition = {
  name: "PROFILE",
  help: "a profile: default, baseline, strict, ci, unconfined, or a file; - is standard input",
  count: "one",
  completion: "profile",
};

export function filterOptionsOf(values: ProfileValues): FilterOptions {
  const architectures = values.arch?.flatMap((list) => list.split(",")).filter((name) => name !== "");
  return {
    ...(values["format-in"] === "rules" ? { format: "rules" } : {}),
    ...(architectures === undefined || architectures.length === 0 ? {} : { architectures }),
    ...(values.cap === undefined ? {} : { capabilities: values.cap.flatMap((list) => list.split(",")) }),
    ...(values.kernel === undefined ? {} : { kernel: values.kernel }),
  };
}

export function printWarnings(warnings: readonly ProfileWarning[]): void {
  for (const { message, pointer } of warnings) writeWarning(pointer === "" ? message : `${pointer}: ${message}`);
}

/** A profile as the engine takes it. */
export function sourceOf(operand: string): FilterSource {
  return operand === "-" ? { text: readStandardInputText() } : operand;
}

/** A program as the engine takes it. */
export function programOf(operand: string): string | Uint8Array {
  return operand === "-" ? readStandardInputProgram() : operand;
}

/** The operand that the parser has made sure of. */
export function requiredOperand(operands: readonly string[], index: number, name: string): string {
  const operand = operands[index];
  if (operand === undefined)
    throw new RuntimeError("INVALID_ARGUMENT", `The operand ${name} is missing`, { hint: "see --help" });
  return operand;
}
