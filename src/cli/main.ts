/**
 * The command line as a function: words in, exit status out. The fast parser is tried first; commander takes over when
 * the line asks for help or is not in order.
 */

import type { Command, Invocation } from "./command.ts";
import { COMMAND_GROUPS, COMMANDS } from "./commands.ts";
import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";

/**
 * Run a command line.
 * @param args without `node` and the script.
 * @returns the exit status. Errors have been printed.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const selected = select(args) ?? (await selectWithCommander(args));
    if (typeof selected === "number") return selected;
    const module = await selected.command.load();
    return await module.execute(selected.invocation);
  } catch (error) {
    return reportError(error);
  }
}

interface Selected {
  readonly command: Command;
  readonly invocation: Invocation;
}

function select(args: readonly string[]): Selected | null {
  const words = args.length === 1 && args[0] === "--version" ? ["version"] : args;
  const command = COMMANDS.find(({ path }) => path.every((word, index) => words[index] === word));
  if (command === undefined) return null;
  const invocation = parseArguments(command, words.slice(command.path.length));
  return invocation === null ? null : { command, invocation };
}

async function selectWithCommander(args: readonly string[]): Promise<Selected | number> {
  const { parseWithCommander } = await import("./commander-program.ts");
  const parsed = parseWithCommander(COMMANDS, COMMAND_GROUPS, args.length === 0 ? ["--help"] : args);
  return parsed.kind === "done" ? parsed.exitStatus : parsed;
}
