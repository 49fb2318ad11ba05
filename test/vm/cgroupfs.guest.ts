/** In a delegated scope of the user: a subtree of cgroup v2 without a manager. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { runScript } from "../support/inside.ts";
import { command } from "../support/run.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { libraryProgram, startWaiting } from "./containers.ts";

const FLAGS = ["--cgroup-manager=cgroupfs"];
const ownPath = (): string => readFileSync("/proc/self/cgroup", "utf8").trim().replace(/^0::/, "");
/** The scope, from where pycri has perhaps moved us already. */
const scope = ownPath().replace(/\/pycri-supervisor$/, "");
const directory = `/sys/fs/cgroup${scope}`;

kernelTest("processes move out of the way, controllers are enabled, each container gets a leaf", async () => {
  const running = await startWaiting("leaf", [...FLAGS, "--memory=64m"]);
  assert.match(running.directory, new RegExp(`^${directory}/pycri-[0-9a-f]{64}$`));
  assert.equal(running.unit, "");
  assert.equal(readFileSync(`${directory}/cgroup.procs`, "utf8"), "", "no internal processes");
  assert.deepEqual(readFileSync(`${directory}/cgroup.subtree_control`, "utf8").trim().split(" ").toSorted(), [
    "cpu",
    "io",
    "memory",
    "pids",
  ]);
  assert.equal(ownPath(), `${scope}/pycri-supervisor`);
  assert.equal(running.read("memory.max"), String(64 * 2 ** 20));
  assert.equal(running.read("cgroup.procs"), String(running.pid));
  const second = await startWaiting("second", FLAGS);
  assert.equal(readdirSync(directory).filter((name) => /^pycri-[0-9a-f]{64}$/.test(name)).length, 2);
  await second.end();
  await running.end();
});

kernelTest("--cgroup-parent names a cgroup within", async () => {
  const parent = `${directory}/job`;
  mkdirSync(parent);
  try {
    const running = await startWaiting("within", [...FLAGS, `--cgroup-parent=${scope}/job`, "--memory=64m"]);
    assert.match(running.directory, new RegExp(`^${parent}/pycri-[0-9a-f]{64}$`));
    assert.equal(running.read("memory.max"), String(64 * 2 ** 20));
    await running.end();
  } finally {
    rmdirSync(parent);
  }
});

kernelTest("a parent that is missing or not ours is an error with its remedy", async () => {
  const missing = await runScript([...FLAGS, "--cgroup-parent=/nowhere", "--memory=64m"], "true");
  assert.deepEqual([missing.status, missing.stdout], [125, ""]);
  assert.equal(
    missing.stderr,
    'pycri: cannot use cgroup parent "/nowhere": "/sys/fs/cgroup/nowhere" does not exist\nhint: make it and hand it to the user who runs pycri\n',
  );
  const foreign = await runScript([...FLAGS, "--cgroup-parent=/system.slice", "--memory=64m"], "true");
  assert.equal(foreign.status, 125);
  assert.match(
    foreign.stderr,
    /^pycri: cannot use cgroup parent "\/system\.slice": it is not delegated to you\nhint: chown /,
  );
});

kernelTest("a nested container is counted with its parent and removed with it", async () => {
  const script = "mkdir /sys/fs/cgroup/inner 2>/dev/null; exec cat /proc/self/cgroup";
  const { status, stdout } = await runScript([...FLAGS, "--memory=64m"], script);
  assert.deepEqual([status, stdout], [0, "0::/\n"]);
});

kernelTest("the library limits containers in the scope of its program", async () => {
  const { stdout, stderr } = await command(libraryProgram({ command: ["tail", "/dev/zero"], memory: "32m" }));
  assert.deepEqual([stdout, stderr], ["137 1\n", ""]);
});
