/**
 * CVE-2017-5226: a confined program types into the terminal it was started from (TIOCSTI), and the shell there runs it
 * when the program has ended.
 */
import assert from "node:assert/strict";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf } from "../support/run.ts";
import { Terminal } from "../support/terminal.ts";

kernelTest("baseline refuses TIOCSTI and TIOCLINUX on the caller's own terminal", async () => {
  using terminal = new Terminal();
  const flags = ["--security-opt=seccomp=baseline", "--cap-add=ALL"];
  const child = terminal.start(["run", ...flags, busyboxRoot(), "probe", "tiocsti", "tiocsti_high_bits", "tioclinux"]);
  assert.equal((await outcomeOf(child)).status, 0);
  await terminal.sees("tioclinux EPERM");
  assert.match(terminal.output, /tiocsti EPERM\r\ntiocsti_high_bits EPERM\r\ntioclinux EPERM/);
});

kernelTest("without a filter the caller's terminal is still not the container's controlling terminal", async () => {
  using terminal = new Terminal();
  const script = "probe tiocsti; true 2>/dev/null </dev/tty && echo controlling || echo detached";
  const child = terminal.start([
    "run",
    "--security-opt=seccomp=unconfined",
    "--cap-add=ALL",
    busyboxRoot(),
    "sh",
    "-c",
    script,
  ]);
  assert.equal((await outcomeOf(child)).status, 0);
  await terminal.sees("detached");
  // EIO: dev.tty.legacy_tiocsti is 0. EPERM: it is not the controlling terminal.
  assert.match(terminal.output, /tiocsti E(IO|PERM)\r\ndetached/);
});
