/** `pycri seccomp verify`: does a program do what a profile says? */

import type { Command, OptionValues } from "./command.ts";
import { PROFILE_OPERAND, PROFILE_OPTIONS, type ProfileValues } from "./seccomp-options.ts";

const OWN_OPTIONS = {
  json: { type: "flag", help: "print JSON" },
} as const;

export type VerifyValues = OptionValues<typeof OWN_OPTIONS> & ProfileValues;

export const seccompVerifyCommand: Command = {
  path: ["seccomp", "verify"],
  summary: "prove that a program answers every call as a profile means it",
  description: [
    "Programs of any compiler can be given. The proof covers every architecture, number and argument; where it fails, a call that shows the difference is printed.",
    "Exit status: 0 proven, 1 refuted, 2 when the program computes something that the proof cannot follow.",
  ],
  operands: [
    PROFILE_OPERAND,
    { name: "PROGRAM", help: "a raw struct sock_filter[], - is standard input", count: "one", completion: "file" },
  ],
  options: { ...PROFILE_OPTIONS, ...OWN_OPTIONS },
  examples: [
    {
      command: "pycri seccomp verify profile.json filter.bpf --arch aarch64",
      explanation: "a program that another compiler made",
    },
  ],
  load: () => import("./seccomp-verify-main.ts"),
};
