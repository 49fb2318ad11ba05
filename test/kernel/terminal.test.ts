/** A container on a terminal: raw mode while it runs, sizes that follow, and the caller's settings back whatever happens. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, createReadStream, openSync, type ReadStream, writeSync } from "node:fs";
import { kernelTest } from "../support/kernel-test.ts";
import { descendants, until } from "../support/leftovers.ts";
import { openPseudoTerminal } from "../support/libc.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf, pycri, startProgram } from "../support/run.ts";
import { pycriCommand } from "../support/scratch.ts";

/** A terminal with a program on it as its controlling terminal, like a shell's window. */
class Terminal implements Disposable {
  readonly #master: number;
  readonly #slave: number;
  readonly #stream: ReadStream;
  readonly path: string;
  output = "";

  constructor() {
    const { master, path } = openPseudoTerminal();
    this.#master = master;
    this.path = path;
    // Held open, so that reads of the master do not fail between programs.
    this.#slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    this.#stream = createReadStream("", { fd: master, autoClose: false });
    this.#stream.on("data", (chunk) => (this.output += chunk.toString()));
    this.#stream.on("error", () => undefined);
    this.stty("rows", "30", "cols", "90");
  }

  stty(...settings: readonly string[]): string {
    return execFileSync("stty", ["-F", this.path, ...settings], { encoding: "utf8" }).trim();
  }

  type(text: string): void {
    writeSync(this.#master, text);
  }

  start(args: readonly string[]): ReturnType<typeof startProgram> {
    // The caller must be able to open its own terminal by name.
    execFileSync("chmod", ["666", this.path]);
    return startProgram(["setsid", "--ctty", ...pycriCommand, ...args], [this.#slave, this.#slave, this.#slave]);
  }

  async sees(text: string | RegExp): Promise<void> {
    const found = (): boolean => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(`${text} on the terminal; it shows ${JSON.stringify(this.output)}`, found);
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
    closeSync(this.#slave);
    closeSync(this.#master);
  }
}

kernelTest("-t: the command has a terminal of the container's own, of the caller's size", async () => {
  using terminal = new Terminal();
  const script =
    "tty; stty size; test -t 0 -a -t 1 -a -t 2 && echo all; echo $(ps -o tty= -p $$ 2>/dev/null | wc -l) end";
  const child = terminal.start(["run", "-it", busyboxRoot(), "sh", "-c", script]);
  assert.equal((await outcomeOf(child)).status, 0);
  await terminal.sees("end");
  assert.match(terminal.output, /^\/dev\/(pts\/0|console)\r\n30 90\r\nall\r\n/);
});

kernelTest("without -t it is no terminal", async () => {
  const { stdout } = await pycri(["run", "-i", busyboxRoot(), "sh", "-c", "test -t 0 || echo none"], { input: "" });
  assert.equal(stdout, "none\n");
});

kernelTest("the caller's terminal is raw while the container runs, and as before afterwards", async () => {
  using terminal = new Terminal();
  const before = terminal.stty("-g");
  const child = terminal.start(["run", "-it", busyboxRoot(), "sh", "-c", "echo ready; read line; echo got $line"]);
  const outcome = outcomeOf(child);
  await terminal.sees("ready");
  assert.match(terminal.stty("-a"), /-icanon\b[\s\S]*-echo\b/);
  terminal.type("typed\r");
  assert.equal((await outcome).status, 0);
  await terminal.sees("got typed");
  assert.equal(terminal.stty("-g"), before);
});

kernelTest("a new window size reaches the container", async () => {
  using terminal = new Terminal();
  const script =
    "trap 'stty size' WINCH; echo ready; while read -t 0.01 line || test $? -gt 128 || test -z \"$line\"; do :; done";
  const child = terminal.start(["run", "-it", busyboxRoot(), "sh", "-c", script]);
  const outcome = outcomeOf(child);
  await terminal.sees("ready");
  terminal.stty("rows", "41", "cols", "101");
  await terminal.sees("41 101");
  terminal.type("stop\r");
  await outcome;
});

kernelTest("Ctrl-C goes to the foreground of the container, not to pycri", async () => {
  using terminal = new Terminal();
  const script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.01; done";
  const child = terminal.start(["run", "-it", busyboxRoot(), "sh", "-c", script]);
  const outcome = outcomeOf(child);
  await terminal.sees("ready");
  terminal.type("\u0003");
  assert.equal((await outcome).status, 5);
  await terminal.sees("interrupted");
});

kernelTest("the terminal is restored when pycri is killed with SIGKILL", async () => {
  using terminal = new Terminal();
  const before = terminal.stty("-g");
  const child = terminal.start(["run", "-it", busyboxRoot(), "sh", "-c", "echo ready; exec sleep 1000"]);
  const outcome = outcomeOf(child);
  await terminal.sees("ready");
  assert.notEqual(terminal.stty("-g"), before);
  child.kill("SIGKILL");
  assert.equal((await outcome).signal, "SIGKILL");
  await until("the container ended", () => descendants().length === 0);
  await until("the terminal's settings came back", () => terminal.stty("-g") === before);
});

kernelTest("-t without a terminal to copy from still gives the command one", async () => {
  const { status, stdout } = await pycri(["run", "-t", busyboxRoot(), "sh", "-c", "test -t 1 && echo terminal"]);
  assert.deepEqual([status, stdout], [0, "terminal\r\n"]);
});
