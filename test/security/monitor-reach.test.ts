/** Processes of the runtime as targets: tracing PID 1, its files in /proc, and the world outside the PID namespace. */
import assert from "node:assert/strict";
import { inside, probe } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { caller } from "../support/caller.ts";

const OPEN = ["--cap-add=ALL", "--security-opt=seccomp=unconfined"];

kernelTest("the init process cannot be traced by the command, nor by root inside", async () => {
  assert.deepEqual(await probe(["--init"], ["ptrace_init"]), { ptrace_init: "EPERM" });
  assert.deepEqual(await probe(["--init", "--user=1000", "--security-opt=seccomp=unconfined"], ["ptrace_init"]), {
    ptrace_init: "EPERM",
  });
});

kernelTest("the monitor is in nobody's view: no parent, no process outside", async () => {
  assert.equal(await inside(OPEN, "sed -n 's/^PPid:[[:space:]]*//p' /proc/1/status"), "0");
  assert.equal(await inside(OPEN, `kill -0 ${process.pid} 2>/dev/null && echo reached || echo hidden`), "hidden");
});

const READ_INIT = `for file in environ maps mem auxv; do
    if head -c 1 /proc/1/$file >/dev/null 2>&1; then echo $file read; else echo $file refused; fi
  done
  if ls /proc/1/fd >/dev/null 2>&1; then echo fd read; else echo fd refused; fi`;

kernelTest("the init process's environment, memory and descriptors cannot be read", async () => {
  assert.equal(
    await inside(["--init"], READ_INIT),
    "environ refused\nmaps refused\nmem refused\nauxv refused\nfd refused",
  );
  // Control: the command as PID 1, whose memory begins with an unmapped page.
  assert.equal(await inside([], READ_INIT), "environ read\nmaps read\nmem refused\nauxv read\nfd read");
});

kernelTest("the caller's own processes cannot be signalled with its id, mapped though it is", async () => {
  assert.equal(
    await inside(
      [...OPEN, "--userns=keep-id", `--user=${caller.uid}`],
      "kill -0 -1 2>/dev/null; ls -d /proc/[0-9]* | wc -l",
    ),
    "3",
  );
});
