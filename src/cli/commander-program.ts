/**
 * A commander program made from the command definitions: it owns help, usage errors and the choice of the command
 * whenever the fast parser (`parse-arguments.ts`) has answered `null`.
 */

import type { Help } from "commander";
import { Argument, Command as Program, CommanderError, Option } from "commander";
import type { Command, CommandGroup, Invocation, OperandDefinition, OptionDefinition, OptionValue } from "./command.ts";
import { helpOf, upperFirst } from "./help-text.ts";
import { writeMessage, writeOutput } from "./output.ts";
import { recordOption, SWITCH_WORDS } from "./parse-arguments.ts";
import { FAILURE_STATUS } from "./report-error.ts";

/** What a command line asks for, once commander has had its say. */
export type Parsed =
  | { readonly kind: "command"; readonly command: Command; readonly invocation: Invocation }
  /** Help was printed, or an error: nothing is left to do. */
  | { readonly kind: "done"; readonly exitStatus: number };

/** Help in two columns on terminals of unknown width; pycri does not load `tty` to ask. */
const HELP_WIDTH = 100;

/**
 * Parse a whole command line (without `node` and the script) with commander, which prints help or the error itself.
 */
export function parseWithCommander(
  commands: readonly Command[],
  groups: readonly CommandGroup[],
  args: readonly string[],
): Parsed {
  let parsed: Parsed = { kind: "done", exitStatus: 0 };
  const program = buildProgram(commands, groups, (command, invocation) => {
    parsed = { kind: "command", command, invocation };
  });
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: "done", exitStatus: error.exitCode === 0 ? 0 : FAILURE_STATUS };
  }
  return parsed;
}

/** The text of `pycri --help` or `pycri COMMAND --help`. */
export function helpText(
  commands: readonly Command[],
  groups: readonly CommandGroup[],
  path: readonly string[],
): string {
  let program: Program | undefined = buildProgram(commands, groups, () => {});
  for (const word of path) program = program?.commands.find((candidate) => candidate.name() === word);
  if (program === undefined) return "";
  return program.helpInformation();
}

function buildProgram(
  commands: readonly Command[],
  groups: readonly CommandGroup[],
  found: (command: Command, invocation: Invocation) => void,
): Program {
  const program = configure(new Program("pycri"))
    .description("Run containers without root, and compile seccomp profiles.")
    .usage("COMMAND [OPTIONS] [ARG...]")
    .enablePositionalOptions()
    .helpCommand("help [COMMAND]", "show help for a command")
    .addHelpText("after", "\nSee 'pycri COMMAND --help' and 'man pycri'.");
  // Answered by the entry point; here for the help text.
  program.option("--version", "print the version and exit");

  for (const group of groups) {
    const parent = parentOf(program, group.path);
    parent.addCommand(
      configure(new Program(group.path.at(-1) ?? ""))
        .summary(group.summary)
        .description(`${upperFirst(group.summary)}.`)
        .usage("COMMAND [OPTIONS] [ARG...]")
        .enablePositionalOptions()
        .helpCommand(false),
    );
  }
  for (const command of commands) {
    const child = programOf(command, found);
    parentOf(program, command.path).addCommand(child, { hidden: command.internal === true });
  }
  return program;
}

function parentOf(program: Program, path: readonly string[]): Program {
  let parent = program;
  for (const word of path.slice(0, -1)) {
    const child = parent.commands.find((candidate) => candidate.name() === word);
    if (child === undefined) throw new Error(`The command group "${word}" is not in the list of groups`);
    parent = child;
  }
  return parent;
}

function programOf(command: Command, found: (command: Command, invocation: Invocation) => void): Program {
  const child = configure(new Program(command.path.at(-1) ?? ""))
    .summary(command.summary)
    .description([upperFirst(command.summary) + ".", ...(command.description ?? [])].join("\n\n"))
    .usage(usageOf(command));
  if (command.optionsEndAtOperand === true) child.passThroughOptions();

  const values: Record<string, OptionValue> = {};
  for (const long in command.options) {
    const definition = command.options[long];
    if (definition === undefined) continue;
    for (const option of optionsOf(long, definition)) {
      child.addOption(option.option);
      child.on(`option:${option.option.name()}`, (value?: string) => {
        recordOption(values, long, definition, option.value ?? value);
      });
    }
  }
  for (const operand of command.operands) child.addArgument(argumentOf(operand));
  const examples = command.examples ?? [];
  if (examples.length > 0) {
    const lines = examples.map((example) => `  ${example.command}\n      ${example.explanation}`);
    child.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
  }
  child.action(() => found(command, { values: values as Invocation["values"], operands: child.args }));
  return child;
}

/** The part of the usage line after the command's name. */
export function usageOf(command: Command): string {
  const operands = command.operands.map((operand) => {
    const name = operand.count === "many" || operand.count === "some" ? `${operand.name}...` : operand.name;
    return operand.count === "one" || operand.count === "some" ? name : `[${name}]`;
  });
  return [...(Object.keys(command.options).length > 0 ? ["[OPTIONS]"] : []), ...operands].join(" ");
}

interface SpelledOption {
  readonly option: Option;
  /** The value a spelling stands for by itself: `--rm=false`. */
  readonly value?: string;
}

/** An option, with hidden ones for its aliases and, commander's flags having no values, for `--flag=true` and the like. */
function optionsOf(long: string, definition: OptionDefinition): SpelledOption[] {
  const placeholder = definition.type === "flag" ? "" : ` <${definition.value}>`;
  const short = definition.short === undefined ? "" : `-${definition.short}, `;
  const main = new Option(`${short}--${long}${placeholder}`, helpOf(definition));
  if (definition.group !== undefined) main.helpGroup(`${definition.group}:`);
  if (definition.refusal !== undefined) main.hideHelp();

  const options: SpelledOption[] = [{ option: main }];
  const spellings = [long, ...(definition.aliases ?? [])];
  for (const alias of spellings.slice(1)) {
    options.push({ option: new Option(`--${alias}${placeholder}`).hideHelp() });
  }
  if (definition.type === "flag") {
    for (const spelling of spellings) {
      for (const word of SWITCH_WORDS.keys()) {
        options.push({ option: new Option(`--${spelling}=${word}`).hideHelp(), value: word });
      }
    }
  }
  return options;
}

function argumentOf(operand: OperandDefinition): Argument {
  const name = operand.count === "many" || operand.count === "some" ? `${operand.name}...` : operand.name;
  const required = operand.count === "one" || operand.count === "some";
  return new Argument(required ? `<${name}>` : `[${name}]`, operand.help);
}

/** What every program of the tree has in common: its streams, its error text, no `process.exit`. */
function configure(program: Program): Program {
  return program
    .exitOverride()
    .helpOption("--help", "show this help")
    .configureHelp({ helpWidth: HELP_WIDTH, showGlobalOptions: false, optionTerm, styleTitle: (title) => title })
    .configureOutput({
      writeOut: writeOutput,
      writeErr: (text) => writeMessage(text.trimEnd()),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text) => writeMessage(usageError(program, text)),
    });
}

/** `-m, --memory SIZE`, and options without a letter aligned with those that have one. */
function optionTerm(this: Help, option: Option): string {
  const term = option.flags.replace(/[<>]/g, "");
  return option.short === undefined ? `    ${term}` : term;
}

/** commander's "error: unknown option '--x'\n(Did you mean --y?)" in pycri's form. */
function usageError(program: Program, text: string): string {
  const [message = "", ...rest] = text
    .trim()
    .replace(/^error: /, "")
    .split("\n");
  const suggestion = rest.join(" ").replace(/^\(|\)$/g, "");
  const words: string[] = [];
  for (let at: Program | null = program; at !== null; at = at.parent) words.unshift(at.name());
  const help = `see '${words.join(" ")} --help'`;
  return `pycri: ${message}\nhint: ${suggestion === "" ? help : `${lowerFirst(suggestion)} – ${help}`}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
