/** Asking a shell inside a container. */
import assert from "node:assert/strict";
import { busyboxRoot } from "./root-filesystem.ts";
import { type Outcome, pycri, type RunOptions } from "./run.ts";

/** Run a shell script in the shared busybox root filesystem with these flags. */
export function runScript(flags: readonly string[], script: string, options: RunOptions = {}): Promise<Outcome> {
  return pycri(["run", ...flags, busyboxRoot(), "sh", "-c", script], options);
}

/** What a script prints inside; it must end with status 0 and pycri must not complain. */
export async function inside(flags: readonly string[], script: string, options: RunOptions = {}): Promise<string> {
  const { status, signal, stdout, stderr } = await runScript(flags, script, options);
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: "" });
  return stdout.trimEnd();
}

/** The outcomes of the probe program by probe name: "ok" or an errno's name. */
export async function probe(
  flags: readonly string[],
  names: readonly string[],
  options: RunOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const output = await inside(flags, `probe ${names.join(" ")}`, options);
  return Object.fromEntries(output.split("\n").map((line) => line.split(" ") as [string, string]));
}

/** A field of /proc/self/status inside. */
export async function statusField(flags: readonly string[], field: string): Promise<string> {
  return inside(flags, `sed -n 's/^${field}:[[:space:]]*//p' /proc/self/status`);
}
