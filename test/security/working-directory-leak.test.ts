/**
 * CVE-2024-21626: a working directory named through an inherited descriptor (/proc/self/fd/N) lies outside the root, and
 * from there the host is a `..` away.
 */
import assert from "node:assert/strict";
import { lchownSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot, makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";
import { scratch } from "../support/scratch.ts";

const MARKER = join(scratch, "marker");
writeFileSync(MARKER, "");

const LOOK = `ls -d ../../../../../../../../../../..${MARKER} .${MARKER} 2>/dev/null; echo looked`;

for (let descriptor = 3; descriptor <= 12; descriptor++) {
  kernelTest(`-w /proc/self/fd/${descriptor} leads nowhere outside`, async () => {
    const { status, stdout } = await pycri([
      "run",
      "-w",
      `/proc/self/fd/${descriptor}`,
      busyboxRoot(),
      "sh",
      "-c",
      LOOK,
    ]);
    if (status === 0) assert.equal(stdout, "looked\n");
    else assert.deepEqual([status, stdout], [125, ""]);
  });
}

kernelTest("a symlink in the root filesystem to a descriptor leads nowhere outside", async () => {
  const root = makeBusyboxRoot("descriptor-link");
  for (let descriptor = 3; descriptor <= 12; descriptor++) {
    const link = join(root, `cwd-${descriptor}`);
    symlinkSync(`/proc/self/fd/${descriptor}`, link);
    lchownSync(link, caller.uid, caller.gid);
    const { status, stdout } = await pycri(["run", "-w", `/cwd-${descriptor}`, root, "sh", "-c", LOOK]);
    if (status === 0) assert.equal(stdout, "looked\n");
    else assert.deepEqual([status, stdout], [125, ""]);
  }
});

kernelTest("a symlink to the host's path resolves inside", async () => {
  const root = makeBusyboxRoot("cwd-link");
  symlinkSync(scratch, join(root, "out"));
  const { stdout } = await pycri(["run", "-w", "/out", root, "sh", "-c", `ls ${MARKER} 2>/dev/null; echo looked`]);
  assert.ok(stdout === "" || stdout === "looked\n", stdout);
});
