/** `pycri seccomp compile`: a profile as a BPF program. */

import type { Command, OptionValues } from "./command.ts";
import { PROFILE_OPERAND, PROFILE_OPTIONS, type ProfileValues } from "./seccomp-options.ts";

const OWN_OPTIONS = {
  weights: {
    type: "value",
    value: "FILE",
    suggestions: ["uniform"],
    completion: "file",
    help: "call frequencies to compile for, lines of CALL WEIGHT; or uniform",
  },
  format: {
    type: "value",
    value: "FORMAT",
    choices: ["bpf", "c", "json", "asm", "cost"],
    help: "bpf (raw struct sock_filter[], the default), c, json, asm, or cost: what a call executes, what each rewrite saves, which calls are free",
  },
  output: { type: "value", short: "o", value: "FILE", completion: "file", help: "write to FILE" },
} as const;

export type CompileValues = OptionValues<typeof OWN_OPTIONS> & ProfileValues;

export const seccompCompileCommand: Command = {
  path: ["seccomp", "compile"],
  summary: "compile a profile to a BPF program",
  description: [
    "Profiles of Docker, Podman, Kubernetes and the OCI Spec are read alike. What it takes to attach the program stands in the JSON form: flags, architectures, instructions.",
  ],
  operands: [PROFILE_OPERAND],
  options: { ...PROFILE_OPTIONS, ...OWN_OPTIONS },
  examples: [
    { command: "pycri seccomp compile default --format asm", explanation: "show the filter that run uses" },
    {
      command: "pycri seccomp compile profile.json --arch aarch64,arm -o filter.bpf",
      explanation: "compile for another machine",
    },
  ],
  load: () => import("./seccomp-compile-main.ts"),
};
