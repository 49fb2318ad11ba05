/** What the file system refuses the store, in words and with a remedy. */

import { RuntimeError } from "../../errors.ts";

const FULL = new Set(["ENOSPC", "EDQUOT"]);

const FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device",
  EDQUOT: "your disk quota is used up",
};

/** An error of a system call as RuntimeError IO; any other as it is. `action`: `Cannot write "path"`. */
export function fileError(error: unknown, action: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof RuntimeError || syscall === undefined || code === undefined) return error;
  return new RuntimeError("IO", `${action}: ${FAULTS[code] ?? code}`, {
    ...(FULL.has(code) ? { hint: FULL_HINT } : {}),
    details: { errno: code, syscall },
    cause: error,
  });
}

/** For whoever ran out of space in the store. */
export const FULL_HINT =
  "Make room: 'pycri image prune --all' removes images; or set XDG_DATA_HOME to a larger file system.";

/** Whether the store's file system is full: then what was half done is of no use to keep. */
export function isFull(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === "IO" && FULL.has(String(error.details["errno"]));
}
