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
  const words = args.length === 0 ? ["--help"] : args[0] === "help" ? helpLine(args.slice(1)) : args;
  const parsed = parseWithCommander(COMMANDS, COMMAND_GROUPS, words);
  return parsed.kind === "done" ? parsed.exitStatus : parsed;
}

/**
 * `help seccomp compile` as `seccomp compile --help`; commander knows the first word only. A word that selects nothing is left
 * where commander finds it unknown.
 */
function helpLine(words: readonly string[]): readonly string[] {
  const selects = (length: number): boolean =>
    [...COMMANDS, ...COMMAND_GROUPS].some(
      ({ path }) => path.length === length && path.every((word, index) => words[index] === word),
    );
  let known = 0;
  while (known < words.length && selects(known + 1)) known++;
  const isCommand = COMMANDS.some(({ path }) => path.length === known && path.every((word, at) => words[at] === word));
  return known === words.length || isCommand ? [...words.slice(0, known), "--help"] : words.slice(0, known + 1);
}
