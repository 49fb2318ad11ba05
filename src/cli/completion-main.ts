/** The code behind `pycri completion`. */

import { RuntimeError } from "../errors.ts";
import type { Invocation } from "./command.ts";
import { COMMAND_GROUPS, COMMANDS } from "./commands.ts";
import { bashCompletion } from "./completion/bash.ts";
import { completionTree, valueCommands } from "./completion/completion-tree.ts";
import { fishCompletion } from "./completion/fish.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { writeOutput } from "./output.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function execute({ operands }: Invocation): number {
  const [shell = ""] = operands;
  if (!Object.hasOwn(SHELLS, shell)) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot complete for the shell "${shell}"`, {
      hint: `the value is one of: ${Object.keys(SHELLS).join(", ")}`,
    });
  }
  const complete = SHELLS[shell as keyof typeof SHELLS];
  writeOutput(complete(completionTree(COMMANDS, COMMAND_GROUPS), valueCommands(COMMANDS)));
  return 0;
}
