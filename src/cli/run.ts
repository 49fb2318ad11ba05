/** `pycri run`. */

import type { Command } from "./command.ts";
import { RUN_SYNTAX } from "./run-syntax.ts";

export const runCommand: Command = {
  path: ["run"],
  summary: "run a command in a new container",
  description: [
    "ROOTFS is the read-only lower layer of the container's root filesystem: what the command writes is gone afterwards, unless --upper or --rw says otherwise. The exit status is the command's own, 128+N when signal N ended it, 125 when pycri failed, 126 when the command cannot be executed and 127 when it is not there.",
  ],
  ...RUN_SYNTAX,
  examples: [
    { command: "pycri run host", explanation: "a shell that sees the host's programs and cannot change them" },
    { command: "pycri run -it ./rootfs bash", explanation: "bash on a terminal of its own" },
    {
      command: "pycri run -v .:/src -w /src ./rootfs make",
      explanation: "build what is in the current directory with the tools of ./rootfs",
    },
    {
      command: "pycri run --security-opt seccomp=strict --memory 256m ./rootfs ./job",
      explanation: "a strict system call filter and a memory limit",
    },
  ],
  load: () => import("./run-main.ts"),
};
