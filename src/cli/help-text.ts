/** Words that help and manual share. Pure. */

import type { OptionDefinition } from "./command.ts";

/** The help of an option with its choices. */
export function helpOf(definition: OptionDefinition): string {
  if (definition.type === "flag" || definition.choices === undefined) return definition.help;
  return `${definition.help} (${definition.choices.join(", ")})`;
}

export function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
