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

kernelTest("the init process's environment, memory and descriptors show nothing of the host's", async () => {
  const output = await inside(
    ["--init"],
    "tr '\\0' '\\n' </proc/1/environ 2>/dev/null | grep -cE 'XDG_RUNTIME_DIR|pycri-test' || true; ls -l /proc/1/fd 2>/dev/null | grep -cE 'memfd|socket|pidfd|/proc' || true",
  );
  assert.equal(output, "0\n0");
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
