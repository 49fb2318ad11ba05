/**
 * The gaps of the educational pycri.py that this project replaces, each shown closed beside a control that has it: it
 * needed root, changed root with chroot(2), kept every capability and loaded no filter.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { inside, statusField } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, pycri } from "../support/run.ts";
import { scratch } from "../support/scratch.ts";

const MARKER = join(scratch, "marker");
writeFileSync(MARKER, "");

kernelTest("it needed root: the caller has no privilege, and none is left behind on the host", async () => {
  const { stdout } = await command(["sh", "-c", "id -u; sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status"]);
  assert.equal(stdout, `${caller.uid}\n0000000000000000\n`);
  assert.equal(await inside([], "id -u"), "0");
});

kernelTest("chroot can be left: the same program stays inside here, with every capability and no filter", async () => {
  const control = await command([
    "unshare",
    "--map-root-user",
    "chroot",
    busyboxRoot(),
    "/bin/probe",
    "escape",
    MARKER,
  ]);
  assert.equal(control.stdout, "reached\n", "the control must show that the program does escape a chroot");
  assert.equal(
    await inside(["--cap-add=ALL", "--security-opt=seccomp=unconfined"], `probe escape ${MARKER}`),
    "contained",
  );
  assert.equal(await inside([], `probe escape ${MARKER}`), "EPERM");
});

kernelTest("it kept every capability: here ten are left", async () => {
  const control = await command([
    "unshare",
    "--map-root-user",
    "sed",
    "-n",
    "s/^CapEff:[[:space:]]*//p",
    "/proc/self/status",
  ]);
  assert.match(control.stdout, /^[0-9a-f]*ffffffff\n$/);
  const held = BigInt(`0x${await statusField([], "CapEff")}`);
  assert.equal(held.toString(2).replaceAll("0", "").length, 10);
});

kernelTest("it loaded no filter: here one is on every process", async () => {
  assert.equal(
    await inside(
      [],
      "for s in /proc/[0-9]*/status; do sed -n 's/^Seccomp:[[:space:]]*//p' $s 2>/dev/null; done | sort -u",
    ),
    "2",
  );
});

kernelTest("--mem SIZE before the root filesystem is still understood", async () => {
  const { status, stdout } = await pycri(["run", "--cgroups=disabled", "--mem", "256M", busyboxRoot(), "echo", "ran"]);
  assert.deepEqual([status, stdout], [0, "ran\n"]);
});
