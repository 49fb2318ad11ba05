/** `pycri seccomp disasm`: a BPF program as text. */

import type { Command, OptionValues } from "./command.ts";

const OPTIONS = {
  "big-endian": { type: "flag", help: "the program is in big-endian byte order: s390x, ppc64, mips …" },
} as const;

export type DisasmValues = OptionValues<typeof OPTIONS>;

export const seccompDisasmCommand: Command = {
  path: ["seccomp", "disasm"],
  summary: "disassemble a BPF program",
  operands: [
    { name: "FILE", help: "a raw struct sock_filter[], - is standard input", count: "one", completion: "file" },
  ],
  options: OPTIONS,
  examples: [
    {
      command: "pycri seccomp compile baseline | pycri seccomp disasm -",
      explanation: "what compile --format asm prints",
    },
  ],
  load: () => import("./seccomp-disasm-main.ts"),
};
