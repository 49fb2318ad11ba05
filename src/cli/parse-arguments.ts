/**
 * The fast argument parser: the grammar of commander, driven by an option table, for command lines that are in order. It
 * answers `null` for anything that needs help text, an error message or a second look; commander then decides
 * (`commander-program.ts`). A property test proves that the two agree, but for `-m=64m`.
 */

import { RuntimeError } from "../errors.ts";
import type { Command, Invocation, OptionDefinition, OptionTable, OptionValue } from "./command.ts";

/**
 * Record one occurrence of an option in `values`, as both parsers do. `value` is undefined for a bare flag.
 * @throws RuntimeError INVALID_ARGUMENT for a refused option or a value outside the option's choices.
 */
export function recordOption(
  values: Record<string, OptionValue>,
  long: string,
  definition: OptionDefinition,
  value: string | undefined,
): void {
  if (definition.refusal !== undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", `pycri has no option --${long}`, { hint: definition.refusal });
  }
  if (definition.type === "flag") {
    values[long] = value === undefined || parseSwitch(long, value);
    return;
  }
  const text = value ?? "";
  if (definition.choices !== undefined && !definition.choices.includes(text)) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --${long}: "${text}"`, {
      hint: `the value is one of: ${definition.choices.join(", ")}`,
    });
  }
  if (definition.type === "value") {
    values[long] = text;
    return;
  }
  const earlier = values[long];
  values[long] = Array.isArray(earlier) ? [...earlier, text] : [text];
}

/** What may follow a flag's `=`. */
export const SWITCH_WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

function parseSwitch(long: string, value: string): boolean {
  const state = SWITCH_WORDS.get(value);
  if (state === undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --${long}: "${value}"`, {
      hint: "the value is one of: true, false",
    });
  }
  return state;
}

/** An option table turned into a look-up by spelling, long with dashes or short. */
interface Spellings {
  get(spelling: string): { readonly long: string; readonly definition: OptionDefinition } | undefined;
}

/** Every spelling of every option: `--memory`, `--mem`, `-m`. */
export function spellingsOf(options: OptionTable): Spellings {
  const spellings = new Map<string, { readonly long: string; readonly definition: OptionDefinition }>();
  for (const long in options) {
    const definition = options[long];
    if (definition === undefined) continue;
    const entry = { long, definition };
    spellings.set(`--${long}`, entry);
    if (definition.short !== undefined) spellings.set(`-${definition.short}`, entry);
    for (const alias of definition.aliases ?? []) spellings.set(`--${alias}`, entry);
  }
  return spellings;
}

/** What parsing needs to know of a command. */
export type CommandSyntax = Pick<Command, "operands" | "options" | "optionsEndAtOperand">;

/**
 * Parse the arguments of one command (without the words of its path).
 * @returns null when commander should look at the line.
 * @throws RuntimeError INVALID_ARGUMENT, see `recordOption`.
 */
export function parseArguments(command: CommandSyntax, args: readonly string[]): Invocation | null {
  const spellings = spellingsOf(command.options);
  const values: Record<string, OptionValue> = {};
  const operands: string[] = [];

  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (argument === "--") {
      operands.push(...args.slice(index + 1));
      break;
    }
    if (argument.length < 2 || !argument.startsWith("-")) {
      operands.push(argument);
      if (command.optionsEndAtOperand !== true) continue;
      operands.push(...args.slice(index + 1));
      break;
    }

    if (argument.startsWith("--")) {
      const equals = argument.indexOf("=");
      const option = spellings.get(equals < 0 ? argument : argument.slice(0, equals));
      if (option === undefined) return null;
      let value = equals < 0 ? undefined : argument.slice(equals + 1);
      if (value === undefined && option.definition.type !== "flag") {
        value = args[++index];
        if (value === undefined) return null;
      }
      recordOption(values, option.long, option.definition, value);
      continue;
    }

    // A cluster of letters: flags, the last of which may take the rest, or the next argument, as its value. As with
    // Docker's parser the rest may begin with "=", which commander takes for a part of the value.
    for (let letter = 1; letter < argument.length; letter++) {
      const option = spellings.get(`-${argument.charAt(letter)}`);
      if (option === undefined) return null;
      const rest = argument.slice(letter + 1);
      const assigned = rest.startsWith("=") ? rest.slice(1) : undefined;
      if (option.definition.type === "flag") {
        recordOption(values, option.long, option.definition, assigned);
        if (assigned !== undefined) break;
        continue;
      }
      const value = assigned ?? (rest === "" ? args[++index] : rest);
      if (value === undefined) return null;
      recordOption(values, option.long, option.definition, value);
      break;
    }
  }
  return operandsFit(command, operands.length) ? { values, operands } : null;
}

function operandsFit(command: CommandSyntax, count: number): boolean {
  let least = 0;
  let most = 0;
  for (const operand of command.operands) {
    if (operand.count === "one" || operand.count === "some") least++;
    most += operand.count === "many" || operand.count === "some" ? Infinity : 1;
  }
  return count >= least && count <= most;
}
