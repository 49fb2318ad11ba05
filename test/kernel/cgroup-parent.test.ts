/**
 * A delegated parent that has limits itself: what it allows is what containers below it get, one by one and all together,
 * and pycri says so. Root makes the parent on cgroup v1.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { caller } from "../support/caller.ts";
import { delegateV1, lackOfCgroups } from "../support/cgroups.ts";
import { runScript } from "../support/inside.ts";
import { kernelTest, type Need } from "../support/kernel-test.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command } from "../support/run.ts";
import { pycriCommand } from "../support/scratch.ts";

const NEEDS: readonly Need[] = ["cgroups", "root"];
const NAME = `pycri-tests-parent-${process.pid}`;
const MIB = 2 ** 20;

const place = lackOfCgroups() === null && process.getuid?.() === 0 ? delegateV1(NAME) : null;
const flags = place?.flags ?? [];
const file = (name: string): string => `/sys/fs/cgroup/${name.slice(0, name.indexOf("."))}/${NAME}/${name}`;

if (place !== null) {
  writeFileSync(file("memory.limit_in_bytes"), String(128 * MIB));
  writeFileSync(file("pids.max"), "500");
  writeFileSync(file("cpu.cfs_quota_us"), "50000");
}

kernelTest(
  "a container above its parent's limits is warned, and held to them",
  async () => {
    const starved = await runScript([...flags, "--memory=1g"], "exec tail /dev/zero");
    assert.deepEqual(starved, {
      status: 137,
      signal: null,
      stdout: "",
      stderr:
        `pycri: warning: the memory limit of 1 GiB is above the 128 MiB of /${NAME}, which hold\n` +
        "pycri: killed: out of memory, limit 128 MiB\n",
    });
    const tasks = await runScript([...flags, "--pids-limit=600"], "true");
    assert.equal(tasks.stderr, `pycri: warning: the limit of 600 tasks is above the 500 of /${NAME}, which hold\n`);
    const faster = await runScript([...flags, "--cpus=2"], "true");
    assert.equal(faster.status, 125);
    assert.match(faster.stderr, /^pycri: cannot apply --cpus: the cgroups above allow 0.5 CPUs\n/);
  },
  NEEDS,
);

kernelTest(
  "a percentage is one of the parent's limit, and the default number of tasks at most that",
  async () => {
    const read = (name: string): string => `/sys/fs/cgroup/${name.slice(0, name.indexOf("."))}`;
    // The caller's view: the container's own cgroup is the root of its namespace.
    const { status, stdout, stderr } = await runScript(
      [
        ...flags,
        "--memory=50%",
        "--cpus=50%",
        `--volume=${read("memory.x")}/${NAME}:/m:ro`,
        `--volume=${read("pids.x")}/${NAME}:/p:ro`,
        `--volume=${read("cpu.x")}/${NAME}:/c:ro`,
      ],
      "cat /m/pycri-*/memory.limit_in_bytes /p/pycri-*/pids.max /c/pycri-*/cpu.cfs_quota_us",
    );
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: `${64 * MIB}\n500\n25000\n`, stderr: "" });
  },
  NEEDS,
);

kernelTest(
  "containers together cannot exceed their parent",
  async () => {
    writeFileSync(file("memory.max_usage_in_bytes"), "0");
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => runScript([...flags, "--memory=100m"], "exec tail /dev/zero")),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      [137, 137, 137],
    );
    const peak = Number(readFileSync(file("memory.max_usage_in_bytes"), "utf8"));
    assert.ok(peak <= 128 * MIB && peak > 64 * MIB, `${peak} bytes`);
  },
  NEEDS,
);

kernelTest(
  "a caller that root has moved there finds its own cgroup",
  async () => {
    const enter = `for c in memory cpu cpuacct cpuset pids freezer blkio; do echo $$ >/sys/fs/cgroup/$c/${NAME}/cgroup.procs; done
exec setpriv --reuid=${caller.uid} --regid=${caller.gid} --clear-groups "$@"`;
    const outcome = await command(
      ["sh", "-c", enter, "sh", ...pycriCommand, "run", "--memory=32m", busyboxRoot(), "tail", "/dev/zero"],
      { asSelf: true },
    );
    assert.deepEqual(outcome, {
      status: 137,
      signal: null,
      stdout: "",
      stderr: "pycri: killed: out of memory, limit 32 MiB\n",
    });
    // Without it there is no cgroup to be found.
    const outside = await command([...pycriCommand, "run", "--memory=32m", busyboxRoot(), "true"]);
    assert.equal(outside.status, 125);
    assert.match(
      outside.stderr,
      /^pycri: cannot apply --memory: no cgroup is delegated to you\nhint: as root, for each controller: mkdir -p/,
    );
  },
  NEEDS,
);
