/**
 * Writing to standard output and standard error with plain write(2). `process.stdout` and `console` cost six
 * milliseconds to set up and may lose what is still buffered when the process ends.
 */

import { writeSync } from "node:fs";
import { RuntimeError } from "../errors.ts";

const STANDARD_OUTPUT = 1;

/**
 * Write all of `text` to a descriptor, waiting while a non-blocking pipe is full.
 * @returns false when nobody reads any more (EPIPE).
 */
function writeAll(descriptor: number, text: string | Uint8Array): boolean {
  let rest: Uint8Array = typeof text === "string" ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") {
        // Where stderr itself cannot be written to there is nobody to tell.
        if (descriptor !== STANDARD_OUTPUT) return false;
        throw new RuntimeError("IO", `Cannot write to standard output: ${code}`, { cause: error });
      }
      // Someone shares the descriptor and has set O_NONBLOCK on it; poll(2) is out of reach here.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return true;
}

/** Data: what the command was asked for. @returns false when nobody reads it any more. */
export function writeOutput(text: string | Uint8Array): boolean {
  return writeAll(STANDARD_OUTPUT, text);
}

/** Progress, warnings and errors, a line each. */
export function writeMessage(text: string): void {
  writeAll(2, `${text}\n`);
}

/** One warning in the words all warnings have. */
export function writeWarning(message: string): void {
  writeMessage(`pycri: warning: ${message}`);
}

/** `value` as indented JSON, a line feed at its end. bigints become decimal strings, bytes base64. */
export function writeJson(value: unknown): void {
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => {
      if (typeof item === "bigint") return item.toString();
      if (item instanceof Uint8Array) return Buffer.from(item).toString("base64");
      return item;
    },
    2,
  );
  writeOutput(`${text}\n`);
}
