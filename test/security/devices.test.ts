/** Device nodes: none can be made, and those of a root filesystem open nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { probe, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";

kernelTest("mknod(2) of a device is refused, with CAP_MKNOD too", async () => {
  assert.deepEqual(await probe(["--cap-add=ALL", "--security-opt=seccomp=unconfined"], ["mknod"]), { mknod: "EPERM" });
  assert.deepEqual(await probe([], ["mknod"]), { mknod: "EPERM" });
});

kernelTest(
  "a device node planted in the root filesystem cannot be opened",
  async () => {
    const root = makeBusyboxRoot("planted");
    execFileSync("mknod", ["-m", "666", join(root, "planted"), "c", "1", "5"]);
    for (const flags of [[], ["--rw"]]) {
      const { status, stderr } = await pycri(["run", ...flags, root, "head", "-c", "1", "/planted"]);
      assert.equal(status, 1);
      assert.match(stderr, /Permission denied/);
    }
  },
  ["root"],
);

kernelTest("raw memory, disks and kernel messages are out of reach", async () => {
  const { stdout } = await runScript(
    ["--cap-add=ALL"],
    "for f in /dev/mem /dev/kmem /dev/kmsg /dev/sda /dev/vda /proc/kcore /proc/kmsg; do head -c 1 $f 2>/dev/null | wc -c; done",
  );
  assert.equal(stdout.replaceAll("\n", ""), "0000000");
});
