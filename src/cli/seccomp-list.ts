/** `pycri seccomp list`: the calls of a profile by what becomes of them. */

import type { Command, OptionValues } from "./command.ts";
import { PROFILE_OPERAND, PROFILE_OPTIONS, type ProfileValues } from "./seccomp-options.ts";

const OWN_OPTIONS = {
  json: { type: "flag", help: "print JSON" },
} as const;

export type ListValues = OptionValues<typeof OWN_OPTIONS> & ProfileValues;

export const seccompListCommand: Command = {
  path: ["seccomp", "list"],
  summary: "list the calls of a profile by action",
  description: ["Every call of every filtered architecture appears once: what the profile does not name, too."],
  operands: [PROFILE_OPERAND],
  options: { ...PROFILE_OPTIONS, ...OWN_OPTIONS },
  examples: [
    { command: "pycri seccomp list baseline", explanation: "what baseline refuses" },
    {
      command: "pycri seccomp list default --cap SYS_ADMIN --arch aarch64",
      explanation: "as it would be with a capability, elsewhere",
    },
  ],
  load: () => import("./seccomp-list-main.ts"),
};
