/**
 * Entry point of the small bundle: `pycri run` when the line is in order. Errors, help and `--dry-run` are the full
 * bundle's, which then goes through the line again.
 */

import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";
import { runCommand } from "./run.ts";
import { execute } from "./run-main.ts";

interface Entry {
  readonly start: (args: readonly string[]) => unknown;
}

/**
 * @param args the words after `pycri`, `run` first.
 * @param loadFull loads the full bundle.
 */
export function start(args: readonly string[], loadFull: () => Entry): void {
  try {
    const invocation = parseArguments(runCommand, args.slice(1));
    if (invocation === null) {
      loadFull().start(args);
      return;
    }
    process.exitCode = execute(invocation);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}
