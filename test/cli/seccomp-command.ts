/** `pycri seccomp …` as a process of its own, from the built program, in a folder that is removed at the end. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/repository.ts";

const folder = mkdtempSync(join(tmpdir(), "pycri-seccomp-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

export interface CommandOutcome {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Paths in `args` are relative to the folder. */
export function seccomp(args: readonly string[], input: string | Uint8Array = ""): CommandOutcome {
  const { error, status, stdout, stderr } = spawnSync(
    process.execPath,
    [`${repository}/dist/pycri.cjs`, "seccomp", ...args],
    { cwd: folder, input, maxBuffer: 64 << 20, env: { PATH: process.env["PATH"] ?? "" } },
  );
  if (error !== undefined) throw error;
  return { status, stdout, stderr: stderr.toString("utf8") };
}

/** Standard output of a call that must end with status 0 and be silent otherwise. */
export function output(args: readonly string[], input: string | Uint8Array = ""): Buffer {
  const { status, stdout, stderr } = seccomp(args, input);
  if (status !== 0 || stderr !== "") throw new Error(`pycri seccomp ${args.join(" ")}: status ${status}, ${stderr}`);
  return stdout;
}

export function outputText(args: readonly string[], input: string | Uint8Array = ""): string {
  return output(args, input).toString("utf8");
}

/** A file in the folder. */
export function put(name: string, content: string | Uint8Array | object): string {
  const isRaw = typeof content === "string" || content instanceof Uint8Array;
  writeFileSync(join(folder, name), isRaw ? content : JSON.stringify(content));
  return name;
}

export function take(name: string): Buffer {
  return readFileSync(join(folder, name));
}

export function pathOf(name: string): string {
  return join(folder, name);
}
