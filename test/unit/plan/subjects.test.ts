/** Tables over the small subjects: capabilities, users, limits, sysctls, scheduling, paths. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilityMask } from "../../../src/oci/capability-numbers.ts";
import type { Linux, LinuxCapabilities } from "../../../src/oci/spec.ts";
import { DEFAULT_CAPABILITIES, buildCapabilities, capabilityMasks } from "../../../src/plan/capabilities.ts";
import { isWithin, parseMountTarget } from "../../../src/plan/container-path.ts";
import { MASKED_PATHS, READONLY_PATHS, buildHiddenPaths } from "../../../src/plan/default-paths.ts";
import { errnoName } from "../../../src/plan/errno-names.ts";
import { buildIdMappings } from "../../../src/plan/id-mappings.ts";
import { commandCandidates } from "../../../src/plan/process.ts";
import { buildRlimits, planRlimits } from "../../../src/plan/rlimits.ts";
import { parseCpuList, planIoPriority, planPersonality, planScheduler } from "../../../src/plan/scheduling.ts";
import { Slots } from "../../../src/plan/slots.ts";
import { planSysctls } from "../../../src/plan/sysctls.ts";
import { listLimits, refuseLimits } from "../../../src/plan/unapplied-limits.ts";
import { type UserRequest, resolveUser } from "../../../src/plan/user.ts";
import { refuses } from "./errors.ts";
import { anna, rootFacts } from "./made-up-host.ts";

const short = (names: readonly string[] | undefined): string => (names ?? []).map((name) => name.slice(4)).join(" ");

const DEFAULT = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SETFCAP";

for (const [add, drop, expected] of [
  [[], [], DEFAULT],
  [["SYS_ADMIN"], [], DEFAULT.replace(" SETFCAP", " SYS_ADMIN SETFCAP")],
  [[], ["KILL", "SETFCAP"], "CHOWN DAC_OVERRIDE FOWNER FSETID SETGID SETUID SETPCAP NET_BIND_SERVICE"],
  [[], ["ALL"], ""],
  [["NET_RAW"], ["ALL"], "NET_RAW"],
  [["KILL"], ["KILL"], DEFAULT],
  [["ALL"], ["ALL"], "every"],
  [["ALL"], ["SYS_ADMIN"], "every but SYS_ADMIN"],
] as const) {
  test(`root with --cap-add [${add.join()}] --cap-drop [${drop.join()}] has ${expected || "nothing"}`, () => {
    const sets = buildCapabilities(add, drop, true, anna);
    const all = short(buildCapabilities(["ALL"], [], true, anna).bounding);
    assert.equal(all.split(" ").length, 41);
    const wanted = expected.replace("every but SYS_ADMIN", all.replace(" SYS_ADMIN", "")).replace("every", all);
    assert.equal(short(sets.bounding), wanted);
    assert.deepEqual(sets.effective, sets.bounding);
    assert.deepEqual(sets.permitted, sets.bounding);
    assert.deepEqual([sets.inheritable, sets.ambient], [[], []]);
  });
}

test("another user has what was added by name alone, through the ambient set", () => {
  const plain = buildCapabilities([], [], false, anna);
  assert.deepEqual(
    [short(plain.bounding), plain.effective, plain.permitted, plain.inheritable, plain.ambient],
    [DEFAULT, [], [], [], []],
  );
  const added = buildCapabilities(["NET_RAW"], ["CHOWN"], false, anna);
  for (const set of [added.effective, added.permitted, added.inheritable, added.ambient]) {
    assert.deepEqual(set, ["CAP_NET_RAW"]);
  }
  assert.ok(added.bounding.includes("CAP_NET_RAW"));
  const all = buildCapabilities(["ALL"], ["SYS_ADMIN"], false, anna);
  assert.equal(all.ambient.length, 40);
});

test("the default set is in the order of its justifications, and known", () => {
  assert.equal(capabilityMask(DEFAULT_CAPABILITIES), 0x8000_05fbn);
});

test("ALL ends at the kernel's last capability, and a newer one by name is refused", () => {
  const old = { ...anna, lastCapability: 37, kernel: { major: 5, minor: 4, release: "5.4.0-generic" } };
  assert.equal(buildCapabilities(["ALL"], [], true, old).bounding.at(-1), "CAP_AUDIT_READ");
  refuses(
    () => buildCapabilities(["BPF"], [], true, old),
    "HOST_UNSUPPORTED",
    "The kernel 5.4.0-generic has no capability CAP_BPF",
  );
  assert.equal(short(buildCapabilities([], ["BPF"], true, old).bounding), DEFAULT);
  refuses(
    () => buildCapabilities(["SYS_ROOT"], [], true, anna),
    "INVALID_ARGUMENT",
    'Unknown capability "SYS_ROOT" in --cap-add',
    /SYS_ADMIN/,
  );
  refuses(() => buildCapabilities([], ["CAP_KILL"], true, anna), "INVALID_ARGUMENT", /"CAP_KILL" in --cap-drop/);
});

test("sets of a Spec are cut to what the kernel accepts", () => {
  const wild: LinuxCapabilities = {
    bounding: ["CAP_KILL", "CAP_CHOWN"],
    permitted: ["CAP_KILL"],
    effective: ["CAP_KILL", "CAP_CHOWN"],
    inheritable: ["CAP_KILL", "CAP_SYS_ADMIN", "CAP_NO_SUCH"],
    ambient: ["CAP_KILL", "CAP_SYS_ADMIN"],
  };
  assert.deepEqual(capabilityMasks(wild, anna), {
    bounding: 0b100001n,
    permitted: 0b100000n,
    effective: 0b100000n,
    inheritable: 0b100000n,
    ambient: 0b100000n,
  });
  assert.equal(capabilityMasks(undefined, anna).bounding, 0n);
});

// Users.

const mapped = buildIdMappings({ kind: "default" }, anna, { uid: [], gid: [] });

function resolve(user: string | undefined, changes: Partial<UserRequest> = {}): ReturnType<typeof resolveUser> {
  return resolveUser(
    {
      ...(user === undefined ? {} : { user }),
      defaultUid: 0,
      defaultGid: 0,
      additionalGroups: [],
      uidMappings: mapped.uidMappings,
      gidMappings: mapped.gidMappings,
      mayCallSetgroups: true,
      ...changes,
    },
    rootFacts,
  );
}

for (const [user, expected] of [
  [undefined, { user: { uid: 0, gid: 0 }, home: "/root" }],
  ["root", { user: { uid: 0, gid: 0 }, home: "/root" }],
  ["web", { user: { uid: 33, gid: 33, additionalGids: [29, 44] }, home: "/var/www" }],
  ["33", { user: { uid: 33, gid: 33, additionalGids: [29, 44] }, home: "/var/www" }],
  ["web:web", { user: { uid: 33, gid: 33 }, home: "/var/www" }],
  ["web:", { user: { uid: 33, gid: 33, additionalGids: [29, 44] }, home: "/var/www" }],
  ["web:audio", { user: { uid: 33, gid: 29 }, home: "/var/www" }],
  ["web:77", { user: { uid: 33, gid: 77 }, home: "/var/www" }],
  ["4711", { user: { uid: 4711, gid: 0 }, home: "/" }],
  ["4711:4712", { user: { uid: 4711, gid: 4712 }, home: "/" }],
  [":audio", { user: { uid: 0, gid: 29 }, home: "/root" }],
] as const) {
  test(`--user ${user ?? "(none)"} is ${JSON.stringify(expected.user)}`, () =>
    assert.deepEqual(resolve(user), expected));
}

test("--group-add is kept beside the user's own groups; numbers need no name", () => {
  assert.deepEqual(resolve("web", { additionalGroups: ["tty", "500", "audio"] }).user.additionalGids, [29, 44, 5, 500]);
});

test("where setgroups is refused, groups of /etc/group are left out, and asking for one is an error", () => {
  const single = buildIdMappings({ kind: "single" }, anna, { uid: [], gid: [] });
  const changes = { uidMappings: mapped.uidMappings, gidMappings: single.gidMappings, mayCallSetgroups: false };
  assert.deepEqual(resolve("web:0", changes).user, { uid: 33, gid: 0 });
  refuses(
    () => resolve("root", { ...changes, additionalGroups: ["0"] }),
    "ID_NOT_GRANTED",
    'Cannot add the group "0"',
    /pycri doctor/,
  );
});

test("unknown names say so, and list what there is", () => {
  refuses(
    () => resolve("nobody"),
    "UNKNOWN_USER",
    'Cannot find user "nobody" in the container\'s /etc/passwd',
    /numeric id or one of root, web, anna/,
  );
  refuses(
    () => resolve("web:wheel"),
    "UNKNOWN_USER",
    'Cannot find group "wheel" in the container\'s /etc/group',
    /audio/,
  );
  refuses(() => resolve("a:b:c"), "INVALID_ARGUMENT", 'Invalid user "a:b:c"');
  refuses(() => resolve("-1"), "UNKNOWN_USER", /"-1"/);
});

test("ids that are not mapped name the ids that are", () => {
  refuses(
    () => resolve("70000"),
    "ID_NOT_GRANTED",
    "Cannot run with uid 70000: the container has the uids 0-65536",
    /\/etc\/subuid/,
  );
  const single = buildIdMappings({ kind: "single" }, anna, { uid: [], gid: [] });
  refuses(() => resolve("web", single), "ID_NOT_GRANTED", "Cannot run with uid 33: the container has the uids 0");
  refuses(() => resolve("0:70000"), "ID_NOT_GRANTED", /gid 70000/);
});

// Limits.

test("limits become numbers; unlimited is RLIM_INFINITY", () => {
  const rlimits = buildRlimits(
    [
      { type: "RLIMIT_CORE", soft: 0, hard: null },
      { type: "RLIMIT_NOFILE", soft: 64, hard: 128 },
    ],
    anna,
  );
  assert.deepEqual(planRlimits(rlimits), [
    { op: "setRlimit", resource: 4, soft: 0n, hard: 0xffff_ffff_ffff_ffffn },
    { op: "setRlimit", resource: 7, soft: 64n, hard: 128n },
  ]);
});

test("open files are limited as in the caller's shell unless asked otherwise", () => {
  assert.deepEqual(buildRlimits([], anna), [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 524_288 }]);
  assert.deepEqual(buildRlimits([], { ...anna, nofile: null }), []);
  assert.deepEqual(planRlimits(buildRlimits([], { ...anna, nofile: { soft: 5, hard: Infinity } })), [
    { op: "setRlimit", resource: 7, soft: 5n, hard: 0xffff_ffff_ffff_ffffn },
  ]);
});

test("limits that cannot be are refused", () => {
  refuses(
    () => planRlimits([{ type: "RLIMIT_MOOD", soft: 1, hard: 1 }]),
    "INVALID_SPEC",
    'Unknown resource limit "RLIMIT_MOOD"',
    /nofile/,
  );
  refuses(
    () =>
      planRlimits([
        { type: "RLIMIT_CPU", soft: 1, hard: 1 },
        { type: "RLIMIT_CPU", soft: 1, hard: 1 },
      ]),
    "INVALID_SPEC",
    "The resource limit RLIMIT_CPU is set twice",
  );
  refuses(
    () => planRlimits([{ type: "RLIMIT_CPU", soft: 2, hard: 1 }]),
    "INVALID_ARGUMENT",
    "The soft limit 2 of RLIMIT_CPU exceeds its hard limit 1",
  );
});

test("limits without a cgroup are named with their flags; what is unlimited is none", () => {
  const resources = {
    memory: { limit: 268_435_456, swap: -1, disableOOMKiller: false },
    cpu: { quota: 50_000, period: 100_000 },
    pids: { limit: -1 },
    blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] },
    unified: { "memory.high": "max" },
  };
  assert.deepEqual(listLimits(resources), [
    { flag: "--memory", value: "268435456" },
    { flag: "--cpu-quota", value: "50000" },
    { flag: "--device-read-bps", value: "1000" },
    { flag: "memory.high", value: "max" },
  ]);
  refuses(
    () => refuseLimits(resources),
    "LIMIT_UNSUPPORTED",
    "Cannot apply the limit --memory 268435456: the container has no cgroup of its own",
    /--cgroups=auto/,
  );
  refuseLimits({ pids: { limit: -1 } });
});

// Sysctls.

const OWN: Linux = { namespaces: [{ type: "network" }, { type: "ipc" }] };

test("namespaced sysctls become paths; slashes allow dots in a name", () => {
  const sysctl = {
    "net.core.somaxconn": "1",
    "net/ipv4/conf/eth0.1/forwarding": "1",
    "kernel.shmmax": "2",
    "fs.mqueue.msg_max": "3",
  };
  assert.deepEqual(planSysctls({ ...OWN, sysctl }), [
    { op: "setSysctl", key: "net/core/somaxconn", value: "1" },
    { op: "setSysctl", key: "net/ipv4/conf/eth0.1/forwarding", value: "1" },
    { op: "setSysctl", key: "kernel/shmmax", value: "2" },
    { op: "setSysctl", key: "fs/mqueue/msg_max", value: "3" },
  ]);
});

for (const [key, message] of [
  ["vm.swappiness", 'The sysctl "vm.swappiness" is not namespaced: it would change the host'],
  ["kernel.panic", 'The sysctl "kernel.panic" is not namespaced: it would change the host'],
  ["kernel.hostname", 'The sysctl "kernel.hostname" is set by --hostname'],
  ["net.../../kernel/panic", 'Invalid sysctl name "net.../../kernel/panic"'],
  ["net/../kernel/panic", 'Invalid sysctl name "net/../kernel/panic"'],
  ["net.", 'Invalid sysctl name "net."'],
] as const) {
  test(`the sysctl ${key} is refused`, () => {
    refuses(() => planSysctls({ ...OWN, sysctl: { [key]: "1" } }), "INVALID_ARGUMENT", message);
  });
}

test("a sysctl of a shared namespace is refused", () => {
  refuses(
    () => planSysctls({ namespaces: [{ type: "ipc" }], sysctl: { "net.core.somaxconn": "1" } }),
    "INVALID_ARGUMENT",
    'The sysctl "net.core.somaxconn" needs the container\'s own network namespace',
    /--network host/,
  );
  refuses(() => planSysctls({ sysctl: { "kernel.sem": "1" } }), "INVALID_ARGUMENT", /own ipc namespace/, /--ipc host/);
});

// Scheduling.

const process = { user: { uid: 0, gid: 0 }, cwd: "/" };

test("scheduling settings become the kernel's numbers", () => {
  assert.deepEqual(
    planScheduler({
      ...process,
      scheduler: { policy: "SCHED_BATCH", nice: 5, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
      execCPUAffinity: { final: "0-2,5" },
    }),
    [
      { op: "setScheduler", policy: 3, flags: 1n, nice: 5, priority: 0, runtime: 0n, deadline: 0n, period: 0n },
      { op: "setAffinity", cpus: [0, 1, 2, 5] },
    ],
  );
  assert.deepEqual(planIoPriority({ ...process, ioPriority: { class: "IOPRIO_CLASS_BE", priority: 7 } }), [
    { op: "setIoPriority", value: 0x4007 },
  ]);
  assert.deepEqual(planPersonality({ personality: { domain: "LINUX32" } }), [{ op: "setPersonality", value: 8n }]);
  assert.deepEqual([planScheduler(process), planIoPriority(process), planPersonality({})], [[], [], []]);
});

test("unknown scheduling words are refused", () => {
  refuses(
    () => planScheduler({ ...process, scheduler: { policy: "SCHED_LUCK" } }),
    "INVALID_SPEC",
    /"SCHED_LUCK"/,
    /SCHED_FIFO/,
  );
  refuses(() => parseCpuList("3-1"), "INVALID_SPEC", 'Invalid list of CPUs "3-1"');
  refuses(() => parseCpuList("all"), "INVALID_SPEC", 'Invalid list of CPUs "all"');
  refuses(
    () => planIoPriority({ ...process, ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } }),
    "INVALID_SPEC",
    "process.ioPriority.priority is 8, not 0 to 7",
  );
  refuses(
    () => planPersonality({ personality: { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] } }),
    "INVALID_SPEC",
    /ADDR_NO_RANDOMIZE/,
  );
});

// Paths.

test("mount targets take one plain form", () => {
  assert.deepEqual(["/a//b/./c/", "data", "/x"].map(parseMountTarget), ["/a/b/c", "/data", "/x"]);
  refuses(() => parseMountTarget("/"), "INVALID_ARGUMENT", 'Cannot mount over "/": it is the container\'s root');
  refuses(() => parseMountTarget("//."), "INVALID_ARGUMENT", /Cannot mount over/);
  refuses(() => parseMountTarget("/a/../b"), "INVALID_ARGUMENT", /must not contain "\.\."/);
});

test("a path lies within a directory by whole components", () => {
  assert.deepEqual(
    [isWithin("/a/b", "/a"), isWithin("/a", "/a"), isWithin("/ab", "/a"), isWithin("/x", "/")],
    [true, true, false, true],
  );
});

test("mask= adds, unmask= lifts by name, unmask=ALL lifts every default", () => {
  const some = buildHiddenPaths(["/etc/secret"], ["/proc/kcore", "/proc/sys"]);
  assert.equal(some.maskedPaths.includes("/proc/kcore"), false);
  assert.equal(some.readonlyPaths.includes("/proc/sys"), false);
  assert.equal(some.maskedPaths.at(-1), "/etc/secret");
  assert.equal(some.maskedPaths.length, MASKED_PATHS.length);
  assert.equal(some.readonlyPaths.length, READONLY_PATHS.length - 1);
  assert.deepEqual(buildHiddenPaths(["/x"], ["ALL"]), { maskedPaths: ["/x"], readonlyPaths: [] });
});

test("commands are looked up in the container's PATH", () => {
  assert.deepEqual(commandCandidates("sh", ["PATH=/a:/b/::", "X=1"]), ["/a/sh", "/b/sh", "sh", "sh"]);
  assert.deepEqual(commandCandidates("./sh", ["PATH=/a"]), ["./sh"]);
  assert.deepEqual(commandCandidates("/bin/sh", []), ["/bin/sh"]);
  assert.equal(commandCandidates("sh", []).at(-1), "/bin/sh");
  assert.deepEqual(commandCandidates("sh", ["PATH=/a", "PATH=/b"]), ["/b/sh"]);
});

test("errno numbers have names", () => {
  assert.deepEqual([1, 2, 13, 75, 122, 4000].map(errnoName), [
    "EPERM",
    "ENOENT",
    "EACCES",
    "EOVERFLOW",
    "EDQUOT",
    "errno 4000",
  ]);
});

test("slots end at the helper's limit", () => {
  const slots = new Slots();
  for (let n = 0; n < 512; n++) assert.equal(slots.take(), n);
  refuses(() => slots.take(), "INVALID_SPEC", "A container can have 512 mounts at most");
});
