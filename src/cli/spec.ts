/** `pycri spec`. */

import type { Command, OptionValues } from "./command.ts";
import { CONTAINER_OPERANDS, CONTAINER_OPTIONS, type ContainerValues } from "./run-syntax.ts";

const OWN_OPTIONS = {
  bundle: {
    type: "value",
    short: "b",
    value: "DIR",
    help: "write DIR/config.json, and the files of an image to DIR/rootfs",
    completion: "directory",
    group: "Output",
  },
  output: {
    type: "value",
    short: "o",
    value: "FILE",
    help: "write to FILE, e.g. config.json of a bundle",
    completion: "file",
    group: "Output",
  },
} as const;

export type SpecValues = ContainerValues & OptionValues<typeof OWN_OPTIONS>;

export const specCommand: Command = {
  path: ["spec"],
  summary: "print the OCI runtime Spec that run would use",
  description: [
    "Options and operands are those of 'pycri run'. The Spec is what any OCI runtime takes as config.json of a bundle; a writable layer over ROOTFS is pycri's own and no part of it. An image needs --bundle: its layers become one directory, with the ids that the Spec maps.",
  ],
  operands: CONTAINER_OPERANDS,
  options: { ...CONTAINER_OPTIONS, ...OWN_OPTIONS },
  optionsEndAtOperand: true,
  examples: [
    { command: "pycri spec ./rootfs sh", explanation: "print it" },
    {
      command: "pycri spec -o config.json --memory 256m ./rootfs ./job && crun run job",
      explanation: "have another runtime run it",
    },
    {
      command: "pycri spec --bundle ./job debian:12 date && crun run --bundle ./job job",
      explanation: "have another runtime run an image",
    },
  ],
  load: () => import("./spec-main.ts"),
};
