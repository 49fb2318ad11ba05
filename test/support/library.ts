/** Programs that use the library, run by the Node under test as the caller. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRoot } from "./root-filesystem.ts";
import { type Outcome, outcomeOf, startProgram } from "./run.ts";
import { installationFolder, pycriCommand, scratch } from "./scratch.ts";

let count = 0;

/** An ES module that has the library's exports, `rootfs`, and `report(value)`, which prints JSON. */
function writeProgram(body: string, dist: string): string {
  const file = join(scratch, `program-${count++}.mjs`);
  const head = `
import * as pycri from ${JSON.stringify(join(dist, "index.js"))};
const { run, start, RunError } = pycri;
const rootfs = ${JSON.stringify(busyboxRoot())};
const report = (value) => process.stdout.write(JSON.stringify(value));
/** What is left of an error for comparison. */
const failure = async (promise) => {
  try { await promise; return null; } catch (error) {
    if (!(error instanceof RunError)) throw error;
    const { code, message, hint, exitStatus, exitCode, signal, stdout, stderr, cause } = error;
    return { code, message, hint, exitStatus, exitCode, signal, stdout, stderr, cause: cause === undefined ? undefined : String(cause) };
  }
};
`;
  writeFileSync(file, head + body);
  return file;
}

export interface ProgramOptions {
  /** The library's folder, the one under test when absent. */
  readonly dist?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startLibraryProgram(body: string, options: ProgramOptions = {}): ChildProcess {
  const { dist = join(installationFolder, "dist"), env = {} } = options;
  return startProgram([pycriCommand[0], writeProgram(body, dist)], ["pipe", "pipe", "pipe"], { env });
}

export function libraryProgram(body: string, options: ProgramOptions = {}): Promise<Outcome> {
  const child = startLibraryProgram(body, options);
  child.stdin?.end();
  return outcomeOf(child);
}

/** What a program reports; it must end well and say nothing else. */
export async function reported(body: string, options: ProgramOptions = {}): Promise<unknown> {
  const { status, stdout, stderr } = await libraryProgram(body, options);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  return JSON.parse(stdout);
}
