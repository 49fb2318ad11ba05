/** `pycri completion`: scripts that teach a shell pycri's words. */

import type { Command } from "./command.ts";

export const completionCommand: Command = {
  path: ["completion"],
  summary: "print a completion script for a shell",
  operands: [{ name: "SHELL", help: "bash, zsh or fish", count: "one", choices: ["bash", "zsh", "fish"] }],
  options: {},
  examples: [
    { command: "source <(pycri completion bash)", explanation: "in ~/.bashrc" },
    { command: "pycri completion zsh >~/.zfunc/_pycri", explanation: "a folder of $fpath" },
    { command: "pycri completion fish >~/.config/fish/completions/pycri.fish", explanation: "found there by itself" },
  ],
  load: () => import("./completion-main.ts"),
};
