/** `pycri seccomp simulate`: what a filter answers to a call. */

import type { Command, OptionValues } from "./command.ts";
import { PROFILE_OPTIONS, type ProfileValues } from "./seccomp-options.ts";

const OWN_OPTIONS = {
  bpf: { type: "value", value: "FILE", completion: "file", help: "simulate a raw program in place of a profile" },
  vectors: {
    type: "value",
    value: "FILE",
    completion: "file",
    help: "read calls from FILE, - is standard input: lines of ARCH CALL A0 … A5",
  },
  json: { type: "flag", help: "print JSON" },
} as const;

export type SimulateValues = OptionValues<typeof OWN_OPTIONS> & ProfileValues;

export const seccompSimulateCommand: Command = {
  path: ["seccomp", "simulate"],
  summary: "show what a filter answers to a system call",
  description: [
    "PROFILE is left out with --bpf. CALL is a name or a number, arguments are decimal or 0x; write -- before negative ones. The architecture of CALL is the first of --arch.",
    "With --vectors, one answer a line is printed for each line read.",
  ],
  operands: [
    {
      name: "PROFILE|CALL",
      help: "a profile, then the call and its arguments",
      count: "many",
      completion: "profile",
    },
  ],
  options: { ...PROFILE_OPTIONS, ...OWN_OPTIONS },
  examples: [
    { command: "pycri seccomp simulate default unshare 0x10000000", explanation: "a new user namespace" },
    {
      command: "pycri seccomp simulate --bpf filter.bpf ptrace --arch aarch64",
      explanation: "a program of any compiler",
    },
  ],
  load: () => import("./seccomp-simulate-main.ts"),
};
