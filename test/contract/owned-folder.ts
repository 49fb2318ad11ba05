/** A folder of the caller's that goes with the test process. */
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caller } from "../support/caller.ts";

/** Absolute path of a new folder that belongs to the caller. */
export function makeOwnedFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "pycri-contract-"));
  chownSync(path, caller.uid, caller.gid);
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
