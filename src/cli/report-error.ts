/**
 * How errors look on the terminal: one line that says what failed, one that says what mends it, and the exit status.
 */

import { RuntimeError } from "../errors.ts";
import { writeMessage } from "./output.ts";

/** Exit status of a failure of pycri itself, as Docker's. */
export const FAILURE_STATUS = 125;

/** Print an error to stderr and return the exit status it stands for. */
export function reportError(error: unknown): number {
  if (!(error instanceof RuntimeError)) {
    // A mistake in pycri itself: the stack is what a bug report needs.
    writeMessage(`pycri: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return FAILURE_STATUS;
  }
  writeMessage(`pycri: ${printable(lowerFirst(error.message))}`);
  for (const issue of issuesOf(error)) writeMessage(`  ${printable(issue)}`);
  if (error.hint !== undefined) writeMessage(`hint: ${error.hint}`);
  return error.exitStatus;
}

/** The lines of `details.issues`: objects with `pointer` and `message`, as schema validation gives them. */
function issuesOf(error: RuntimeError): string[] {
  const issues = error.details["issues"];
  if (!Array.isArray(issues)) return [];
  return issues.map((issue: unknown) => {
    const { pointer, message } = issue as { pointer?: unknown; message?: unknown };
    return `${String(pointer ?? "")}: ${String(message ?? issue)}`;
  });
}

/**
 * Messages quote names out of images and answers of registries. What would speak to the terminal is shown as an escape.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** Messages are sentences; after the "pycri: " they go on in lower case, unless they begin with a name like ENOENT. */
function lowerFirst(message: string): string {
  return /^[A-Z][a-z]/.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message;
}
