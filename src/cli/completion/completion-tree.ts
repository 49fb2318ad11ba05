/** What the shells' completions are made of: every public command with its words, options and operands. Pure. */

import { builtinProfileNames } from "../../profile/builtin-profiles.ts";
import type { Command, CommandGroup, Completion, OptionDefinition } from "../command.ts";

/** Where values come from that are not a fixed list of words. */
export type ValueSource = "file" | "directory" | "rootfs" | "image" | "container";

/** What may stand in a place: words, and whatever a source gives. */
export interface Candidates {
  readonly words: readonly string[];
  readonly source: ValueSource | null;
}

export interface CompletedOption {
  /** With dashes, long ones first: --volume, -v. */
  readonly spellings: readonly string[];
  readonly help: string;
  /** Null for a flag. */
  readonly value: (Candidates & { readonly placeholder: string }) | null;
  readonly repeatable: boolean;
}

export interface CompletedCommand {
  /** "" for pycri itself, "seccomp compile". */
  readonly path: string;
  readonly summary: string;
  /** Words that may follow: the commands of a group. */
  readonly children: readonly { readonly word: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
  readonly operands: readonly (Candidates & { readonly name: string; readonly repeats: boolean })[];
  /** What follows the first operand is not pycri's. */
  readonly optionsEndAtOperand: boolean;
}

/** Command lines that print the values of a source, a line each; only of commands there are. */
export function valueCommands(commands: readonly Command[]): Readonly<Partial<Record<ValueSource, string>>> {
  const has = (word: string): boolean => commands.some(({ path }) => path.length === 1 && path[0] === word);
  return {
    ...(has("ps") ? { container: "pycri ps --all --format '{{.Names}}'" } : {}),
    ...(has("images") ? { image: "pycri images --format '{{.Repository}}:{{.Tag}}'" } : {}),
  };
}

const HELP: CompletedOption = { spellings: ["--help"], help: "show this help", value: null, repeatable: false };

export function completionTree(
  commands: readonly Command[],
  groups: readonly CommandGroup[],
): readonly CompletedCommand[] {
  const listed = commands.filter(({ internal }) => internal !== true);
  const all = [...groups, ...listed];
  const childrenOf = (path: readonly string[]): CompletedCommand["children"] =>
    all
      .filter((entry) => entry.path.length === path.length + 1 && path.every((word, at) => entry.path[at] === word))
      .map((entry) => ({ word: entry.path.at(-1) ?? "", summary: entry.summary }));
  const branch = (path: readonly string[], summary: string): CompletedCommand => ({
    path: path.join(" "),
    summary,
    children: childrenOf(path),
    options:
      path.length > 0 ? [HELP] : [HELP, { ...HELP, spellings: ["--version"], help: "print the version and exit" }],
    operands: [],
    optionsEndAtOperand: false,
  });
  const root = branch([], "");
  return [
    { ...root, children: [...root.children, { word: "help", summary: "show help for a command" }] },
    ...groups.map(({ path, summary }) => branch(path, summary)),
    ...listed.map((command) => ({
      path: command.path.join(" "),
      summary: command.summary,
      children: childrenOf(command.path),
      options: [...optionsOf(command), HELP],
      operands: command.operands.map(({ name, count, choices, completion }) => ({
        name,
        repeats: count === "many" || count === "some",
        ...candidatesOf(choices ?? [], completion),
      })),
      optionsEndAtOperand: command.optionsEndAtOperand === true,
    })),
  ];
}

function optionsOf({ options }: Command): readonly CompletedOption[] {
  return Object.entries(options).flatMap(([long, definition]) =>
    definition.refusal === undefined ? [completedOption(long, definition)] : [],
  );
}

function completedOption(long: string, definition: OptionDefinition): CompletedOption {
  return {
    spellings: [`--${long}`, ...(definition.short === undefined ? [] : [`-${definition.short}`])],
    help: definition.help,
    value:
      definition.type === "flag"
        ? null
        : {
            placeholder: definition.value,
            ...candidatesOf(definition.choices ?? definition.suggestions ?? [], definition.completion),
          },
    repeatable: definition.type === "list",
  };
}

function candidatesOf(words: readonly string[], completion: Completion | undefined): Candidates {
  switch (completion) {
    case undefined:
      return { words, source: null };
    case "profile":
      return { words: [...words, ...builtinProfileNames], source: "file" };
    case "rootfs":
      return { words: [...words, "host"], source: "rootfs" };
    default:
      return { words, source: completion };
  }
}
