/**
 * The C programs of the differential tests. Test files run in processes of their own at the same time, so each builds
 * under a name of its own and moves the program into place: nobody runs one that is half written.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync } from "node:fs";
import { repository } from "../support/repository.ts";

const directory = `${repository}/build/differential`;

/**
 * Builds `test/differential/NAME.c`.
 * @returns the program's path, or null when there is no compiler
 */
export function compileC(name: string, libraries: readonly string[] = []): string | null {
  mkdirSync(directory, { recursive: true });
  const source = `${repository}/test/differential/${name}.c`;
  const unfinished = `${directory}/${name}.${process.pid}`;
  const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-o", unfinished, source, ...libraries];
  const { error, status, stderr } = spawnSync("gcc", flags, { encoding: "utf8" });
  if (error !== undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return null;
  assert.equal(error, undefined);
  assert.equal(status, 0, stderr);
  renameSync(unfinished, `${directory}/${name}`);
  return `${directory}/${name}`;
}
