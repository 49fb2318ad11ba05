/** In a login session: what systemd knows of a container's scope, and what becomes of it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, pycri } from "../support/run.ts";
import { pycriCommand } from "../support/scratch.ts";
import { libraryProgram, startWaiting, unitProperties, userSystemctl } from "./containers.ts";

const MIB = 2 ** 20;
const session = { XDG_RUNTIME_DIR: `/run/user/${process.getuid?.()}` };

async function noUnits(): Promise<void> {
  await until("no unit of pycri is left", async () => {
    const { stdout } = await userSystemctl("list-units", "--all", "--no-legend", "--plain", "pycri-*");
    return stdout === "";
  });
}

kernelTest("the scope carries the limits with room for the monitor, its leaf the exact ones", async () => {
  const running = await startWaiting("scope", ["--memory=64m", "--pids-limit=20", "--cpus=0.5", "--cpu-shares=512"]);
  const names = ["MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "CPUWeight", "Delegate", "ControlGroup", "Slice"];
  const { ControlGroup, ...properties } = await unitProperties(running.unit, names);
  assert.deepEqual(properties, {
    MemoryMax: String(128 * MIB),
    TasksMax: "52",
    CPUQuotaPerSecUSec: "510ms",
    CPUWeight: "59",
    Delegate: "yes",
    Slice: "app.slice",
  });
  assert.equal(`/sys/fs/cgroup${ControlGroup}/container`, running.directory);
  assert.equal(running.read("memory.max"), String(64 * MIB));
  assert.equal(running.read("pids.max"), "20");
  assert.equal(running.read("cpu.max"), "50000 100000");
  assert.equal(running.read("cpu.weight"), "59");
  assert.equal(running.read("cgroup.procs"), String(running.pid));
  assert.match(readFileSync(`/proc/${running.monitor}/cgroup`, "utf8"), /\/pycri-supervisor\n$/);
  assert.equal((await running.end()).status, 143);
  await noUnits();
  assert.ok(!existsSync(running.directory));
});

kernelTest("update changes the scope with the leaf", async () => {
  const running = await startWaiting("updated", ["--memory=64m"]);
  assert.equal((await pycri(["update", "--memory=80m", "--memory-swap=80m", "--cpu-shares=2", "updated"])).stderr, "");
  assert.equal(running.read("memory.max"), String(80 * MIB));
  assert.equal(running.read("cpu.weight"), "1");
  assert.deepEqual(await unitProperties(running.unit, ["MemoryMax", "CPUWeight"]), {
    MemoryMax: String(144 * MIB),
    CPUWeight: "1",
  });
  await running.end();
});

kernelTest("a container starts from inside a scope and from inside a service of the user", async () => {
  const run = [...pycriCommand, "run", "--memory=32m", busyboxRoot(), "tail", "/dev/zero"] as const;
  for (const way of [["--scope"], ["--pipe", "--wait"]]) {
    const outcome = await command(["systemd-run", "--user", "--quiet", ...way, "--", ...run], { env: session });
    assert.equal(outcome.status, 137, outcome.stderr);
    assert.match(outcome.stderr, /pycri: killed: out of memory, limit 32 MiB/);
  }
  await noUnits();
});

kernelTest("--cgroup-parent names the slice, whose limits hold and are reported", async () => {
  await userSystemctl("set-property", "--runtime", "tight.slice", "MemoryMax=100M");
  const flags = ["--cgroup-parent=tight.slice"];
  const running = await startWaiting("sliced", flags);
  assert.equal((await unitProperties(running.unit, ["Slice"]))["Slice"], "tight.slice");
  const { status, stderr } = await runScript([...flags, "--memory=1g"], "exec tail /dev/zero");
  assert.equal(status, 137);
  assert.match(
    stderr,
    /warning: the memory limit of 1 GiB is above the 100 MiB of \/user\.slice\/.*\/tight\.slice, which hold/,
  );
  assert.match(stderr, /pycri: killed: out of memory, limit 100 MiB\n$/);
  const half = await runScript([...flags, "--memory=50%"], "exec tail /dev/zero");
  assert.equal(half.stderr, "pycri: killed: out of memory, limit 50 MiB\n");
  await running.end();
});

kernelTest("a unit that cannot start is an error that says why, and nothing is left of it", async () => {
  await userSystemctl("mask", "--runtime", "masked.slice");
  const masked = await runScript(["--cgroup-parent=masked.slice", "--memory=32m"], "true");
  assert.equal(masked.status, 125);
  assert.match(masked.stderr, /masked/);
  const wrong = await runScript(["--cgroup-manager=systemd", "--cgroup-parent=/a/b", "--memory=32m"], "true");
  assert.equal(wrong.status, 125);
  assert.match(
    wrong.stderr,
    /cannot use cgroup parent "\/a\/b" with systemd: it is no slice\nhint: name a unit such as/,
  );
  await noUnits();
});

kernelTest("io.max slows writes to a real block device", async () => {
  // On the disk; /tmp is in memory.
  const data = join(caller.home, "data");
  mkdirSync(data);
  const script = "dd if=/dev/zero of=/data/file bs=64k count=48 conv=fsync 2>/dev/null; sync; rm /data/file";
  const time = async (flags: readonly string[]): Promise<number> => {
    const begin = performance.now();
    await inside([...flags, `--volume=${data}:/data`], script);
    return performance.now() - begin;
  };
  assert.ok(statSync("/dev/ubda").isBlockDevice());
  const free = await time(["--cgroup-manager=systemd"]);
  const slow = await time(["--cgroup-manager=systemd", "--device-write-bps=/dev/ubda:1m"]);
  // The kernel lets no more than a mebibyte a second through: three of them take more than two seconds, always.
  assert.ok(slow >= 2000, `${slow} ms`);
  assert.ok(free < slow, `${free} ms without, ${slow} ms with the limit`);
  const running = await startWaiting("throttled", [
    "--device-write-bps=/dev/ubda:1m",
    "--device-read-iops=/dev/ubda:100",
  ]);
  assert.equal(running.read("io.max"), "98:0 rbps=max wbps=1048576 riops=100 wiops=max");
  await running.end();
  const nothing = await runScript(["--device-write-bps=/dev/null:1m"], "true");
  assert.match(nothing.stderr, /cannot limit input and output of "\/dev\/null": it is no block device/);
});

kernelTest("files of cgroup v2 are written as they are, and only limits", async () => {
  const running = await startWaiting("unified", [
    "--cgroup-conf=memory.high=33554432",
    "--memory-high=48m",
    "--oom-group",
  ]);
  assert.equal(running.read("memory.high"), String(48 * MIB), "the flag of its own wins");
  assert.equal(running.read("memory.oom.group"), "1");
  await running.end();
  const core = await runScript(["--cgroup-conf=cgroup.procs=1"], "true");
  assert.equal(core.status, 125);
  assert.match(core.stderr, /cannot write "cgroup\.procs": it is no limit of cgroup v2/);
});

kernelTest("--oom-group ends the whole container when one process runs out of memory", async () => {
  const script = "tail /dev/zero; echo survived";
  const one = await runScript(["--memory=32m"], script);
  assert.equal(one.stdout, "survived\n");
  const all = await runScript(["--memory=32m", "--oom-group"], script);
  assert.deepEqual([all.status, all.stdout], [137, ""]);
});

kernelTest("a controller that the kernel lacks is an error with its remedy", async () => {
  const { status, stderr } = await runScript(["--cpuset-cpus=0"], "true");
  assert.equal(status, 125);
  assert.match(
    stderr,
    /^pycri: cannot apply --cpuset-cpus: the cpuset controller is not delegated to you\nhint: .*Delegate=cpu cpuset io memory pids/,
  );
});

kernelTest("a forgotten D-Bus address does not mislead", async () => {
  const env = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" };
  assert.equal((await runScript(["--memory=64m"], "true", { env })).stderr, "");
});

kernelTest("the library does not move its program into a scope, and says what to do instead", async () => {
  const { stdout } = await command(libraryProgram({ command: ["true"], memory: "32m" }));
  assert.match(stdout, /^LIMIT_UNSUPPORTED .*systemd-run --user --scope -p Delegate=yes PROGRAM/);
});
