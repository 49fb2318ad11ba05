/** A container on a terminal: raw mode while it runs, sizes that follow, and the caller's settings back whatever happens. */
import assert from "node:assert/strict";
import { kernelTest } from "../support/kernel-test.ts";
import { descendants, until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf, pycri } from "../support/run.ts";
import { Terminal } from "../support/terminal.ts";

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
