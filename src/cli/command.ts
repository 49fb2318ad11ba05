/**
 * The shape of a command's definition: its options, operands and the code behind it. A definition is the single source
 * for both argument parsers (`parse-arguments.ts` and `commander-program.ts`), for help, shell completion and man pages.
 */

/** What a shell offers as the value of an option or operand. */
export type Completion =
  | "file"
  | "directory"
  /** A directory, the word `host`, or a stored image. */
  | "rootfs"
  /** Names of stored images. */
  | "image"
  /** Names and ids of recorded containers. */
  | "container"
  /** Names of the built-in seccomp profiles, or a file. */
  | "profile";

interface OptionBase {
  /** One letter, without its dash. */
  readonly short?: string;
  /** Further long spellings, without dashes. They parse the same and stay out of help. */
  readonly aliases?: readonly string[];
  /** One clause in lower case, without a full stop. */
  readonly help: string;
  /** Heading it stands under in help and manual; "Options" when absent. */
  readonly group?: string;
  /**
   * The option is one that users of other runtimes type and pycri does not have. Giving it is an error with this hint,
   * which says what is possible instead.
   */
  readonly refusal?: string;
}

/** Given or not; `--name=false` takes it back, as with Docker. */
export interface FlagDefinition extends OptionBase {
  readonly type: "flag";
}

export interface ValueDefinition extends OptionBase {
  /** `value`: the last occurrence wins. `list`: every occurrence counts, in order. */
  readonly type: "value" | "list";
  /** The placeholder of the value in help: SIZE, NAME=VALUE. */
  readonly value: string;
  /** The only values there are. */
  readonly choices?: readonly string[];
  /** Values worth offering, where others are possible. */
  readonly suggestions?: readonly string[];
  readonly completion?: Completion;
}

export type OptionDefinition = FlagDefinition | ValueDefinition;

/** Options by long name without dashes, in the order help lists them. */
export interface OptionTable {
  readonly [long: string]: OptionDefinition;
}

export type OptionValue = boolean | string | readonly string[];

/** What parsing makes of an option table: options that were not given are absent. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Long in keyof Table]?: Table[Long]["type"] extends "flag"
    ? boolean
    : Table[Long]["type"] extends "list"
      ? readonly string[]
      : string;
};

export interface OperandDefinition {
  /** In upper case: ROOTFS. */
  readonly name: string;
  readonly help: string;
  /** `one` is required; `many` and `optional` may be absent, `some` needs at least one. `many` and `some` come last. */
  readonly count: "one" | "optional" | "many" | "some";
  /** The only values there are. */
  readonly choices?: readonly string[];
  readonly completion?: Completion;
}

/** A parsed command line of one command; `Values` is the `OptionValues` of its table. */
export interface Invocation<Values = { readonly [long: string]: OptionValue }> {
  readonly values: Values;
  readonly operands: readonly string[];
}

/** The code behind a command, loaded when it is needed. */
export interface CommandModule {
  /**
   * Do it, print the result, return the exit status. Throws RuntimeError. A method, so that a module may name the
   * values of its own table.
   */
  execute(invocation: Invocation): number | Promise<number>;
}

export interface Command {
  /** The words that select it: ["run"], ["seccomp", "compile"]. */
  readonly path: readonly string[];
  /** One clause in lower case, without a full stop: "run a command in a new container". */
  readonly summary: string;
  /** Paragraphs for help and manual, below the summary. */
  readonly description?: readonly string[];
  readonly operands: readonly OperandDefinition[];
  readonly options: OptionTable;
  /** Options end at the first operand: what follows belongs to the container's command. */
  readonly optionsEndAtOperand?: boolean;
  readonly examples?: readonly { readonly command: string; readonly explanation: string }[];
  /** Called by pycri itself only; absent from help, completion and manual. */
  readonly internal?: boolean;
  readonly load: () => Promise<CommandModule>;
}

/** A word that only groups commands: `pycri seccomp`. */
export interface CommandGroup {
  readonly path: readonly string[];
  readonly summary: string;
}
