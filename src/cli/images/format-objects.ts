/** Whole objects as `inspect` prints them: a JSON list, or a template for each. Pure. */

import { parseTemplate } from "../go-template.ts";

/** `format`: undefined or `json`: an indented list; anything else: a Go template, a line for each object. */
export function formatObjects(objects: readonly Record<string, unknown>[], format: string | undefined): string {
  if (format === undefined || format === "json") return `${JSON.stringify(objects, null, 2)}\n`;
  const template = parseTemplate(format);
  return objects.map((object) => `${template(object)}\n`).join("");
}
