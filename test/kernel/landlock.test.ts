/** Landlock behind a read-only root filesystem: what it adds, and what it must leave alone. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, pycri } from "../support/run.ts";
import { makeOwned, pycriCommand, scratch } from "../support/scratch.ts";

/** With these the container's root may change its mounts, so that only Landlock is left to refuse. */
const POWERFUL = ["--read-only", "--cap-add=ALL", "--security-opt=seccomp=unconfined"];

kernelTest(
  "with landlock=require a read-only root stays so for a container that may change its mounts",
  async () => {
    const script = "mount -o remount,bind,rw / && touch /written && echo written";
    assert.equal(await inside([...POWERFUL, "--security-opt=landlock=off"], script), "written");
    const confined = await runScript([...POWERFUL, "--security-opt=landlock=require"], script);
    assert.equal(confined.status, 1);
    assert.equal(confined.stdout, "");
  },
  ["landlock"],
);

kernelTest(
  "writable mounts and devices can still be written",
  async () => {
    const volume = makeOwned(join(scratch, "landlocked"));
    const output = await inside(
      ["--read-only", "--security-opt=landlock=require", "-v", `${volume}:/data`, "--tmpfs=/t"],
      `echo v >/data/file && mkdir /data/d && mv /data/file /data/d && echo t >/t/file && echo s >/dev/shm/file &&
       echo n >/dev/null && cat /data/d/file /t/file /dev/shm/file`,
    );
    assert.equal(output, "v\nt\ns");
    assert.equal(readFileSync(join(volume, "d/file"), "utf8"), "v\n");
  },
  ["landlock"],
);

kernelTest(
  "standard output can be opened by name, a file of the host's as well as a pipe",
  async () => {
    const file = join(makeOwned(join(scratch, "output")), "file");
    const run = [...pycriCommand, "run", "--read-only", "--security-opt=landlock=require", busyboxRoot()];
    const words = [...run, "sh", "-c", "echo named >/dev/stdout"].map((word) => `'${word}'`).join(" ");
    const { status, stdout, stderr } = await command([
      "sh",
      "-c",
      `${words} >${file} && cat ${file} && ${words} | cat`,
    ]);
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "named\nnamed\n", stderr: "" });
  },
  ["landlock"],
);

kernelTest(
  "landlock=require without a read-only root is refused",
  async () => {
    const { status, stderr } = await pycri(["run", "--security-opt=landlock=require", busyboxRoot(), "true"]);
    assert.equal(status, 125);
    assert.match(stderr, /Landlock rules need a read-only root filesystem[^]*--read-only/i);
  },
  ["landlock"],
);
