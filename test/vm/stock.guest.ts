/** With the delegation that Debian ships: cpu, memory and pids, not cpuset and io. */
import assert from "node:assert/strict";
import { runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";

kernelTest("limits of the controllers that are delegated are applied", async () => {
  const { status, stderr } = await runScript(["--memory=32m", "--cpus=0.5", "--pids-limit=9"], "exec tail /dev/zero");
  assert.deepEqual([status, stderr], [137, "pycri: killed: out of memory, limit 32 MiB\n"]);
});

kernelTest("limits of the others are an error with the line that delegates them", async () => {
  for (const flag of ["--device-write-bps=/dev/ubda:1m", "--cpuset-cpus=0"]) {
    const { status, stderr } = await runScript([flag], "true");
    assert.equal(status, 125);
    assert.match(stderr, /^pycri: cannot apply --.*: the (io|cpuset) controller is not delegated to you\n/);
    assert.match(
      stderr,
      /hint: `systemctl edit user@\.service` with \[Service\] and Delegate=cpu cpuset io memory pids/,
    );
  }
});

kernelTest("--cgroups=auto applies the rest, and warns", async () => {
  const { status, stderr } = await runScript(
    ["--cgroups=auto", "--memory=32m", "--device-write-bps=/dev/ubda:1m"],
    "exec tail /dev/zero",
  );
  assert.equal(status, 137);
  assert.match(stderr, /^pycri: warning: limits not applied: --device-.*: the io controller is not delegated to you\n/);
  assert.match(stderr, /killed: out of memory, limit 32 MiB\n$/);
});
