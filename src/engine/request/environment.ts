/** `--env`, `--env-file`, `--label`, `--sysctl`: names and values. Pure. */

import { RuntimeError } from "../../errors.ts";
import { invalidValue } from "./invalid-value.ts";

/** The caller's own environment, which bare names are taken from. */
export type HostEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * `NAME=value`, or `NAME` for the caller's value.
 * @returns null for a bare name that the caller has no value for.
 */
export function parseEnvironmentVariable(value: string, host: HostEnvironment): string | null {
  const equals = value.indexOf("=");
  const name = equals < 0 ? value : value.slice(0, equals);
  if (name === "" || value.includes("\0")) throw invalidValue("--env", value, "write NAME=value, or NAME alone");
  if (equals >= 0) return value;
  const own = host[name];
  return own === undefined ? null : `${name}=${own}`;
}

/**
 * A file of variables as Docker reads it: a line each, `NAME=value` or `NAME`; blank lines and lines that begin with `#`
 * do not count; quotes are part of the value.
 * @param path for messages only.
 */
export function parseEnvironmentFile(text: string, path: string, host: HostEnvironment): string[] {
  const variables: string[] = [];
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    const name = equals < 0 ? line.trimEnd() : line.slice(0, equals);
    if (name === "" || /\s/.test(name)) {
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --env-file: "${path}": line ${index + 1} is "${line}"`, {
        hint: "each line is NAME=value or NAME, and a name has no blanks",
        details: { path, line: index + 1 },
      });
    }
    const variable = parseEnvironmentVariable(equals < 0 ? name : line, host);
    if (variable !== null) variables.push(variable);
  }
  return variables;
}

/** `KEY=value` pairs; a later one wins. With `bare`, KEY alone means an empty value. */
export function parsePairs(option: string, values: readonly string[], bare: boolean): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const value of values) {
    const equals = value.indexOf("=");
    if (value === "" || equals === 0 || (equals < 0 && !bare)) throw invalidValue(option, value, "write NAME=value");
    if (equals < 0) pairs[value] = "";
    else pairs[value.slice(0, equals)] = value.slice(equals + 1);
  }
  return pairs;
}
