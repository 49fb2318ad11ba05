/** The helper's way from a plan to a running command and back: namespaces, descriptors, failures, exit statuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LaunchEvent } from "../../src/plan/launch-plan.ts";
import { ANCHOR, CREATE } from "../../src/plan/operations.ts";
import { caller } from "../support/caller.ts";
import {
  ALL_NAMESPACES,
  attachRoot,
  CLONE,
  containerPlan,
  type ContainerOptions,
  folder,
  helper,
  output,
  root,
  run,
  shell,
  start,
  startBytes,
} from "./helper-runner.ts";

const { errno } = constants;

/** The `failed` event of a launch that ends with status 125. */
async function failure(options: ContainerOptions): Promise<LaunchEvent | undefined> {
  const { status, signal, events } = await run(options);
  assert.deepEqual({ status, signal }, { status: 125, signal: null });
  assert.ok(!events.some(({ event }) => event === "started"), "a failed launch reported a start");
  return events.at(-1);
}

/** Index in the container's list of the first operation of this name. */
function containerIndex(options: ContainerOptions, op: string): number {
  return containerPlan(options).container.findIndex((operation) => operation.op === op);
}

test("a container runs its command as PID 1 and root of its own", async () => {
  assert.equal(await output({ command: shell("echo $$ $(id -u) $(id -g)") }), "1 0 0\n");
});

test("each namespace that was asked for is a new one", async () => {
  const names = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];
  const inside = await output({
    command: shell(`cd /proc/self/ns; for n in ${names.join(" ")}; do readlink $n; done`),
  });
  const outside = names.map((name) => readlinkSync(`/proc/self/ns/${name}`));
  assert.equal(inside.trim().split("\n").length, names.length);
  assert.deepEqual(
    inside
      .trim()
      .split("\n")
      .filter((link) => outside.includes(link)),
    [],
  );
});

test("a namespace that was not asked for is the caller's", async () => {
  const inside = await output({
    command: shell("readlink /proc/self/ns/uts"),
    namespaces: ALL_NAMESPACES & ~CLONE.NEWUTS,
  });
  assert.equal(inside.trim(), readlinkSync("/proc/self/ns/uts"));
});

test("arguments and environment arrive as they are", async () => {
  const printed = await output({
    command: ["/bin/sh", "-c", 'printf "%s|" "$0" "$@" "$A" "$B"', "zero", "", "ä b", "\n"],
    environment: ["A=1=2", "B= x ", "PATH=/bin"],
  });
  assert.equal(printed, "zero||ä b|\n|1=2| x |");
});

test("only descriptors 0 to 2 reach the command", async () => {
  assert.equal(await output({ command: shell("cd /proc/self/fd && exec ls -x") }), "0  1  2  3\n");
});

test("the host's files are out of reach", async () => {
  writeFileSync(join(folder, "secret"), "secret");
  const printed = await output({
    command: shell(`ls /; ls /old /stage 2>/dev/null; cat ${folder}/secret 2>&1; cat /proc/self/mountinfo | wc -l`),
  });
  assert.equal(
    printed,
    `bin\ndev\netc\nproc\nsys\ntmp\ncat: can't open '${folder}/secret': No such file or directory\n3\n`,
  );
});

test("signals that the caller ignores or blocks have their default in the command", async () => {
  // Node ignores SIGPIPE and its children inherit that.
  const printed = await output({ command: ["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"] });
  assert.equal(printed, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
});

test("the exit status is the command's, 128 + n for a signal", async () => {
  for (const [script, status, exitCode, signal] of [
    ["exit 0", 0, 0, null],
    ["exit 7", 7, 7, null],
    ["exit 255", 255, 255, null],
  ] as const) {
    const outcome = await run({ command: shell(script) });
    assert.equal(outcome.status, status);
    assert.deepEqual(outcome.events.at(-1), { event: "exited", exitCode, signal });
  }
  // PID 1 is not killed by its own signals, so the kernel has to: a filter that kills is beyond busybox, SIGSEGV not.
  const outcome = await run({
    command: ["/bin/sh", "-c", "kill -9 $$"],
    process: [{ op: "forkInit", seccompFlags: 0, program: new Uint8Array(0) }],
  });
  assert.equal(outcome.status, 137);
  assert.deepEqual(outcome.events.at(-1), { event: "exited", exitCode: 137, signal: null });
});

test("the started event names a PID of the caller's namespace, the exit file what became of it", async () => {
  const exitFile = join(folder, "exit");
  const { events } = await run({ command: shell("exit 3"), supervise: { exitFile } });
  const [started] = events;
  assert.ok(started?.event === "started" && started.pid > 1);
  assert.equal(readFileSync(exitFile, "utf8"), "exited 3\n");
  assert.equal(statSync(exitFile).uid, caller.uid);
});

test("a command that is missing, not executable or no program fails with an errno of its own", async () => {
  const execute = (candidates: readonly string[]): ContainerOptions => ({ command: candidates });
  const index = containerIndex(execute(["/x"]), "execute");
  const failed = { event: "failed", section: "container", index };
  assert.deepEqual(await failure(execute(["/no/such"])), { ...failed, errno: errno.ENOENT, detail: "/no/such" });
  writeFileSync(join(root, "etc/text"), "text", { mode: 0o644 });
  assert.deepEqual(await failure(execute(["/etc/text"])), { ...failed, errno: errno.EACCES, detail: "/etc/text" });
  writeFileSync(join(root, "etc/program"), "no program", { mode: 0o755 });
  chmodSync(join(root, "etc/program"), 0o755);
  assert.deepEqual(await failure(execute(["/etc/program"])), {
    ...failed,
    errno: errno.ENOEXEC,
    detail: "/etc/program",
  });
});

test("candidates are tried in turn, and EACCES outweighs ENOENT", async () => {
  const candidates = (...list: readonly string[]) => {
    const plan = containerPlan({ command: ["echo", "found"] });
    const last = plan.container.at(-1);
    assert.ok(last?.op === "execute");
    return start({ ...plan, container: [...plan.container.slice(0, -1), { ...last, candidates: list }] }).outcome;
  };
  writeFileSync(join(root, "etc/text"), "text", { mode: 0o644 });
  assert.equal((await candidates("/no/echo", "/etc/text/echo", "/etc/text", "/bin/echo")).stdout, "found\n");
  const denied = (await candidates("/no/echo", "/etc/text", "/nowhere/echo")).events.at(-1);
  assert.ok(denied?.event === "failed");
  assert.deepEqual([denied.errno, denied.detail], [errno.EACCES, "/etc/text"]);
});

test("a failed operation is reported with its section, index, errno and path", async () => {
  const early: ContainerOptions = {
    command: shell("true"),
    early: [{ op: "openTree", slot: 9, path: "/no/such/source", recursive: 0 }],
  };
  assert.deepEqual(await failure(early), {
    event: "failed",
    section: "container",
    index: containerIndex({ command: [] }, "enterStage"),
    errno: errno.ENOENT,
    detail: "/no/such/source",
  });
  const before: ContainerOptions = {
    command: shell("true"),
    before: [{ op: "makeHostDirectory", path: `${folder}/no/such`, mode: 0o755, mayExist: 0 }],
  };
  assert.deepEqual(await failure(before), {
    event: "failed",
    section: "monitor",
    index: 1,
    errno: errno.ENOENT,
    detail: `${folder}/no/such`,
  });
});

test("the kernel's message about a mount is the detail", async () => {
  const event = await failure({
    command: shell("true"),
    inRoot: [{ op: "mount", slot: 9, type: "tmpfs", source: "", options: ["nonsense=1"], attributes: 0n }],
  });
  assert.ok(event?.event === "failed");
  assert.deepEqual([event.errno, event.detail], [errno.EINVAL, "tmpfs: Unknown parameter 'nonsense'"]);
});

test("an attempt falls back, nested ones too, and reports each failure", async () => {
  const fails = { op: "setHostname", name: "x".repeat(65) } as const;
  const options: ContainerOptions = {
    command: ["/bin/hostname"],
    process: [
      { op: "attempt", first: 3, otherwise: 1 },
      { op: "attempt", first: 1, otherwise: 1 },
      fails,
      fails,
      { op: "setHostname", name: "fallback" },
      { op: "attempt", first: 1, otherwise: 1 },
      { op: "setDomainname", name: "first" },
      { op: "setHostname", name: "wrong" },
    ],
  };
  const { stdout, events } = await run(options);
  assert.equal(stdout, "fallback\n");
  const index = containerIndex({ command: [] }, "newSession") + 3;
  const failed = { event: "fallback", section: "container", errno: errno.EINVAL, detail: "x".repeat(65) };
  assert.deepEqual(events.slice(0, 2), [
    { ...failed, index },
    { ...failed, index: index + 1 },
  ]);
  assert.deepEqual(
    events.slice(2).map(({ event }) => event),
    ["started", "exited"],
  );
});

test("a failed launch becomes the reporter, with plan and events for it to read", async () => {
  const plan = containerPlan({
    command: ["/no/such"],
    reporter: ["/bin/sh", "-c", 'echo "reported $#"; wc -c <&$1 >/dev/null && exit 77', "report"],
  });
  const { status, stdout } = await start(plan).outcome;
  assert.deepEqual({ status, stdout }, { status: 77, stdout: "reported 2\n" });
});

test("a plan that is refused reports itself", async () => {
  const { status, events } = await startBytes(new Uint8Array([1, 2, 3, 4])).outcome;
  assert.equal(status, 125);
  assert.deepEqual(events, [
    { event: "failed", section: "monitor", index: -1, errno: errno.ENOEXEC, detail: "not a launch plan" },
  ]);
});

test("a plan in a file that can still change is refused", () => {
  writeFileSync(join(folder, "plan"), "plan");
  const { status, stderr } = spawnSync("sh", ["-c", `exec ${helper} 3 -1 3<${folder}/plan`], { encoding: "utf8" });
  assert.deepEqual(
    { status, stderr },
    { status: 125, stderr: "pycri-helper: the plan is not a sealed memfd: EPERM\n" },
  );
});

test("wrong arguments are refused", () => {
  for (const args of [[], ["3"], ["0", "-1"], ["3", "x"], ["3", "-1", "2"], ["99999999999", "-1"]]) {
    const { status, stderr } = spawnSync(helper, args, { encoding: "utf8" });
    assert.equal(status, 125);
    assert.equal(stderr, "pycri-helper: usage: pycri-helper PLAN_FD EVENTS_FD [HELD_FD...]\n");
  }
});

test("newuidmap and newgidmap map subordinate ids", async (context) => {
  const { subuid, subgid } = caller;
  if (subuid === null || subgid === null || !existsSync("/usr/bin/newuidmap"))
    return context.skip("no subordinate ids");
  const printed = await output({
    command: ["/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map"],
    maps: [
      {
        op: "runIdMapTools",
        uidTool: "/usr/bin/newuidmap",
        uidRanges: ["0", String(caller.uid), "1", "1", String(subuid.start), "100"],
        gidTool: "/usr/bin/newgidmap",
        gidRanges: ["0", String(caller.gid), "1", "1", String(subgid.start), "200"],
      },
    ],
  });
  assert.deepEqual(
    printed
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/ +/).map(Number)),
    [
      [0, caller.uid, 1],
      [1, subuid.start, 100],
      [0, caller.gid, 1],
      [1, subgid.start, 200],
    ],
  );
});

test("an id map that is refused fails with the tool's own words", async (context) => {
  if (!existsSync("/usr/bin/newuidmap")) return context.skip("no newuidmap");
  const event = await failure({
    command: shell("true"),
    maps: [
      {
        op: "runIdMapTools",
        uidTool: "/usr/bin/newuidmap",
        uidRanges: ["0", "0", "1"],
        gidTool: "",
        gidRanges: [],
      },
    ],
  });
  assert.ok(event?.event === "failed");
  assert.deepEqual([event.section, event.index, event.errno], ["monitor", 2, errno.EPERM]);
  assert.match(event.detail, /^newuidmap: uid range \[0-1\) -> \[0-1\) not allowed$/);
});

test("a tool that is not there fails with its path", async () => {
  const event = await failure({
    command: shell("true"),
    maps: [{ op: "runIdMapTools", uidTool: "/no/tool", uidRanges: [], gidTool: "", gidRanges: [] }],
  });
  assert.ok(event?.event === "failed");
  assert.deepEqual([event.errno, event.detail], [errno.ENOENT, "/no/tool"]);
});

test("a mount target is resolved inside the root, missing parts made", async () => {
  mkdirSync(join(root, "srv"), { recursive: true });
  writeFileSync(join(folder, "shared"), "shared\n");
  spawnSync("ln", ["-sfn", "/made/by/link", join(root, "srv/link")]);
  spawnSync("ln", ["-sfn", "../../../../../../../../..", join(root, "srv/up")]);
  const source = { op: "openTree", path: join(folder, "shared"), recursive: 0 } as const;
  const printed = await output({
    command: shell("cat /made/by/link/file /tmp/deep/er/file /etc/up"),
    early: [
      { ...source, slot: 10 },
      { ...source, slot: 11 },
      { ...source, slot: 12 },
    ],
    inRoot: [attachRoot(10, "/srv/link/file"), attachRoot(11, "/tmp/deep/er/file"), attachRoot(12, "/srv/up/etc/up")],
  });
  assert.equal(printed, "shared\nshared\nshared\n");
  assert.ok(!existsSync("/made"), "a link of the root filesystem led outside");
});

test("a target of another kind, or missing, is refused or skipped as asked", async () => {
  const attach = (target: string, create: number): ContainerOptions => ({
    command: shell("true"),
    early: [{ op: "openTree", slot: 10, path: folder, recursive: 0 }],
    inRoot: [
      {
        op: "attach",
        slot: 10,
        anchor: ANCHOR.root,
        target,
        create,
        set: 0n,
        clear: 0n,
        propagation: 0n,
        recursive: 0,
      },
    ],
  });
  const refused = async (target: string, create: number) => {
    const event = await failure(attach(target, create));
    assert.ok(event?.event === "failed");
    return [event.errno, event.detail];
  };
  assert.deepEqual(await refused("/bin/busybox", CREATE.nothing), [errno.ENOTDIR, "/bin/busybox"]);
  assert.deepEqual(await refused("/no/such", CREATE.nothing), [errno.ENOENT, "/no/such"]);
  assert.equal(await output(attach("/no/such", CREATE.skip)), "");
});

test("masked paths are empty or /dev/null, read-only ones refuse writes", async () => {
  const printed = await output({
    command: shell(
      "cat /proc/timer_list; ls /etc/masked /etc/other; stat -c %t:%T /etc/file /etc/file2; exec 2>&1; echo x >/tmp/x; true",
    ),
    early: [{ op: "openTree", slot: 10, path: "/dev/null", recursive: 0 }],
    inRoot: [
      ...["/etc/masked", "/etc/other"].map(
        (path) => ({ op: "makeDirectory", anchor: ANCHOR.root, path: `${path}/inner`, mode: 0o755 }) as const,
      ),
      ...["/etc/file", "/etc/file2"].map(
        (path) => ({ op: "makeFile", anchor: ANCHOR.root, path, mode: 0o644 }) as const,
      ),
      ...["/etc/masked", "/etc/other", "/etc/file", "/etc/file2", "/proc/timer_list", "/no/such"].map(
        (path) => ({ op: "maskPath", path, nullSlot: 10 }) as const,
      ),
      { op: "readOnlyPath", path: "/tmp" },
      { op: "readOnlyPath", path: "/no/such" },
    ],
  });
  assert.equal(printed, "/etc/masked:\n\n/etc/other:\n1:3\n1:3\n/bin/sh: can't create /tmp/x: Read-only file system\n");
});

test("sysctls are written beneath proc only", async () => {
  const set = (key: string): ContainerOptions => ({
    command: ["/bin/cat", "/proc/sys/net/ipv4/ip_forward"],
    inRoot: [{ op: "setSysctl", key, value: "1" }],
  });
  assert.equal(await output(set("net/ipv4/ip_forward")), "1\n");
  const event = await failure(set("../../etc/text"));
  assert.ok(event?.event === "failed");
  assert.equal(event.errno, errno.EXDEV);
});

test("a program runs joined to the container, as its root, in the stage", async () => {
  const plan = containerPlan({ command: ["/bin/cat", "/etc/made"] });
  const stage = plan.container.findIndex(({ op }) => op === "enterStage") + 1;
  const program = (script: string) =>
    ({ op: "requestProgram", path: "/bin/sh", arguments: ["sh", "-c", script] }) as const;
  const requests = [
    { op: "makeDirectory", anchor: ANCHOR.stage, path: "/upper/etc", mode: 0o755 } as const,
    program("id -u > upper/etc/made && readlink /proc/self/ns/pid >> upper/etc/made"),
  ];
  const container = [...plan.container.slice(0, stage), ...requests, ...plan.container.slice(stage)];
  const { stdout, status } = await start({ ...plan, container }).outcome;
  const [uid, namespace] = stdout.trim().split("\n");
  assert.deepEqual([status, uid], [0, "0"]);
  assert.notEqual(namespace, readlinkSync("/proc/self/ns/pid"));

  const failing = [...plan.container.slice(0, stage), program("echo one >&2; echo why >&2; exit 3")];
  const { events } = await start({ ...plan, container: [...failing, ...plan.container.slice(stage)] }).outcome;
  assert.deepEqual(events, [
    { event: "failed", section: "container", index: stage, errno: errno.EIO, detail: "one\nwhy" },
  ]);
});

test("init forwards the command's status and leaves nothing of the helper in its memory", async () => {
  const init = { op: "forkInit", seccompFlags: 0, program: new Uint8Array(0) } as const;
  const printed = await output({
    command: shell("echo $$; cat /proc/1/comm; ls -l /proc/1/fd 2>&1 | head -1; grep -c . /proc/1/status"),
    process: [init],
  });
  const [pid, name] = printed.split("\n");
  assert.deepEqual([pid, name], ["2", "pycri-init"]);
  assert.equal((await run({ command: shell("exit 9"), process: [init] })).status, 9);
  // An orphan is reaped, and does not end the container.
  assert.equal((await run({ command: shell("(sleep 0 &) ; exit 4"), process: [init] })).status, 4);
});
