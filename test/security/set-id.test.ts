/** Set-user-ID programs and file capabilities inside a container: no_new_privs keeps them from giving anything. */
import assert from "node:assert/strict";
import { kernelTest } from "../support/kernel-test.ts";
import { makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";

const SCRIPT = "cp /bin/probe /bin/set-id; chmod 4755 /bin/set-id; su alice -c '/bin/set-id ids'";

kernelTest("a set-user-ID program runs as its caller", async () => {
  const { stdout } = await pycri(["run", "--rw", makeBusyboxRoot("set-id"), "sh", "-c", SCRIPT]);
  assert.equal(stdout, "1000 1000\n");
});

kernelTest("control: with the explicit way out it runs as its owner", async () => {
  const { stdout } = await pycri([
    "run",
    "--rw",
    "--security-opt=no-new-privileges=false",
    makeBusyboxRoot("set-id-allowed"),
    "sh",
    "-c",
    SCRIPT,
  ]);
  assert.equal(stdout, "1000 0\n");
});

kernelTest("the host's own set-user-ID programs give no host privilege", async () => {
  const { status, stdout } = await pycri([
    "run",
    "--user=1",
    "host",
    "/bin/sh",
    "-c",
    "su -c id 2>/dev/null </dev/null; id -u",
  ]);
  assert.deepEqual([status, stdout], [0, "1\n"]);
});
