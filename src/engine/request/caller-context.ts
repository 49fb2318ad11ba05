/** The surroundings of the calling process, as the normalisation of options wants them. */

import { readFileSync, statSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { readTerminalSize } from "../../sys/terminal.ts";
import type { HostEnvironment } from "./environment.ts";
import type { CallerContext } from "./run-options.ts";

/** `terminal`: the command gets one, whose size then matters. */
export function callerContext(
  environment: HostEnvironment,
  terminal: boolean,
  warn: (message: string) => void,
): CallerContext {
  return {
    workingDirectory: process.cwd(),
    environment,
    terminalSize: terminal ? (readTerminalSize(0) ?? readTerminalSize(1)) : null,
    readFile: readOptionFile,
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    warn,
  };
}

function readOptionFile(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use ${option}: "${path}": ${code}`, {
      hint: "the file must exist and be readable by you",
      cause,
    });
  }
}
