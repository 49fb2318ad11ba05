/** Running programs as the caller: pycri, and commands of the host that serve as controls. */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { text } from "node:stream/consumers";
import { asCaller } from "./caller.ts";
import { environment, home, pycriCommand } from "./scratch.ts";

export interface RunOptions {
  /** Added to the caller's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to stdin, which is then closed. Absent: /dev/null. */
  readonly input?: string;
  /** Act as whoever runs the tests instead. */
  readonly asSelf?: boolean;
}

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Start a program as the caller with the given stdio. */
export function startProgram(
  [program, ...args]: readonly [string, ...string[]],
  stdio: StdioOptions,
  options: RunOptions = {},
): ChildProcess {
  return spawn(program, args, {
    ...(options.asSelf === true ? {} : asCaller),
    cwd: options.cwd ?? home,
    env: { ...environment, ...options.env },
    stdio,
  });
}

/** Await a child's end and everything it and its heirs wrote. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal }));
  });
  const [stdout, stderr, end] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    ended,
  ]);
  return { ...end, stdout, stderr };
}

/** Run a program of the host as the caller. */
export function command(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Outcome> {
  const child = startProgram(argv, [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"], options);
  if (options.input !== undefined) child.stdin?.end(options.input);
  return outcomeOf(child);
}

/** Run `pycri` as the caller. */
export function pycri(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return command([...pycriCommand, ...args], options);
}

/** Start `pycri` as the caller with pipes for its stdio. */
export function startPycri(args: readonly string[], options: RunOptions = {}): ChildProcess {
  return startProgram([...pycriCommand, ...args], ["pipe", "pipe", "pipe"], options);
}
