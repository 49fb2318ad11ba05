import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../../../src/oci/spec.ts";
import { buildSpec } from "../../../src/plan/build-spec.ts";
import { MASKED_PATHS, READONLY_PATHS } from "../../../src/plan/default-paths.ts";
import type { HostFacts } from "../../../src/plan/host-facts.ts";
import { refuses } from "./errors.ts";
import { type RequestChanges, ID, anna, annaAlone, extra, request, root, rootFacts } from "./made-up-host.ts";

const DEFAULT_CAPS = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP",
];

const MAP = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 65_536 },
];

test("the Spec of `pycri run /rootfs /bin/sh`, word for word", () => {
  const { spec, options, warnings } = buildSpec(request(), anna, rootFacts, extra);
  assert.deepEqual(warnings, []);
  assert.deepEqual(spec, {
    ociVersion: "1.3.0",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["/bin/sh"],
      env: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=0123456789ab",
        "HOME=/root",
        "container=pycri",
      ],
      cwd: "/",
      capabilities: {
        bounding: DEFAULT_CAPS,
        effective: DEFAULT_CAPS,
        permitted: DEFAULT_CAPS,
        inheritable: [],
        ambient: [],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 524_288 }],
      noNewPrivileges: true,
    },
    root: { path: "/rootfs", readonly: false },
    hostname: "0123456789ab",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"],
      },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"] },
    ],
    linux: {
      uidMappings: MAP,
      gidMappings: MAP,
      namespaces: [
        { type: "user" },
        { type: "mount" },
        { type: "pid" },
        { type: "network" },
        { type: "uts" },
        { type: "ipc" },
        { type: "cgroup" },
      ],
      rootfsPropagation: "private",
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  });
  assert.deepEqual(options, {
    id: ID,
    root: { kind: "directory", writes: { kind: "discard" } },
    init: false,
    interactive: true,
    directories: [],
    forwardSignals: true,
    landlock: "auto",
    cgroups: "enabled",
  });
});

function mountsOf(changes: RequestChanges, facts: HostFacts = anna): readonly string[] {
  const { spec } = buildSpec(request(changes), facts, rootFacts, extra);
  return (spec.mounts ?? []).map(line);
}

function line({ destination, type, source, options = [] }: Mount): string {
  return `${type} ${source} ${destination} ${options.join(",")}`;
}

function mountAt(target: string, changes: RequestChanges, facts: HostFacts = anna): string | undefined {
  return mountsOf(changes, facts).find((mount) => mount.split(" ")[2] === target);
}

for (const [name, target, changes, facts, expected] of [
  [
    "/proc is the host's with its PID namespace",
    "/proc",
    { pidNamespace: "host" },
    anna,
    "bind /proc /proc rbind,nosuid,noexec,nodev",
  ],
  [
    "/proc hides other users' processes",
    "/proc",
    { security: { hidepid: 2 } },
    anna,
    "proc proc /proc nosuid,noexec,nodev,hidepid=2",
  ],
  [
    "/sys is the host's with its network",
    "/sys",
    { network: "host" },
    anna,
    "bind /sys /sys rbind,nosuid,noexec,nodev,rro",
  ],
  [
    "/dev/shm is the host's with its IPC",
    "/dev/shm",
    { ipcNamespace: "host" },
    anna,
    "bind /dev/shm /dev/shm rbind,nosuid,noexec,nodev",
  ],
  [
    "/dev/mqueue is left out where neither can be had",
    "/dev/mqueue",
    { ipcNamespace: "host" },
    { ...anna, mountPoints: ["/"] },
    undefined,
  ],
  [
    "/dev/mqueue is left out without the file system",
    "/dev/mqueue",
    {},
    { ...anna, fileSystems: ["tmpfs"] },
    undefined,
  ],
  ["--shm-size", "/dev/shm", { shmSize: 4096 }, anna, "tmpfs shm /dev/shm nosuid,noexec,nodev,mode=1777,size=4096"],
  [
    "devpts without gid 5",
    "/dev/pts",
    {},
    annaAlone,
    "devpts devpts /dev/pts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620",
  ],
  [
    "no cgroups on v1",
    "/sys/fs/cgroup",
    {},
    { ...anna, cgroup: { layout: "hybrid", v1: [], v2: null } },
    "tmpfs tmpfs /sys/fs/cgroup nosuid,noexec,nodev,ro,mode=755",
  ],
  [
    "nothing where no cgroup is mounted",
    "/sys/fs/cgroup",
    {},
    { ...anna, cgroup: { layout: "none", v1: [], v2: null } },
    undefined,
  ],
  [
    "the host's cgroups, read-only",
    "/sys/fs/cgroup",
    { cgroupNamespace: "host" },
    anna,
    "bind /sys/fs/cgroup /sys/fs/cgroup rbind,nosuid,noexec,nodev,rro",
  ],
  [
    "the host's cgroups come with its /sys",
    "/sys/fs/cgroup",
    { cgroupNamespace: "host", network: "host" },
    anna,
    undefined,
  ],
] as const satisfies readonly (readonly [string, string, RequestChanges, HostFacts, string | undefined])[]) {
  test(name, () => assert.equal(mountAt(target, changes, facts), expected));
}

const bind = {
  kind: "bind",
  source: "/src",
  target: "/data/deep",
  readOnly: false,
  recursive: true,
  recursiveReadOnly: true,
  propagation: "rprivate",
  createSource: false,
  idmap: false,
  options: [],
} as const;

test("volumes come after their parents, whatever the order of the flags", () => {
  const mounts = mountsOf({
    mounts: [bind, { kind: "tmpfs", target: "/data", readOnly: true, size: 9, mode: 0o700, options: ["exec"] }],
    devices: [{ source: "/dev/fuse", target: "/dev/fuse", access: "rwm" }],
  });
  const own = mounts.filter((mount) => /data|fuse/.test(mount));
  assert.deepEqual(own, [
    "tmpfs tmpfs /data nosuid,noexec,nodev,ro,mode=700,size=9,exec",
    "bind /src /data/deep rbind,rprivate,rnodev",
    "bind /dev/fuse /dev/fuse bind,nosuid,noexec,private",
  ]);
  assert.ok(
    mounts.findIndex((mount) => mount.includes(" /dev ")) < mounts.findIndex((mount) => mount.includes("/dev/fuse")),
  );
});

for (const [changes, expected] of [
  [{ readOnly: true }, "rbind,rro,rprivate,rnodev"],
  [{ readOnly: true, recursiveReadOnly: false }, "rbind,ro,rprivate,rnodev"],
  [{ readOnly: true, recursive: false }, "bind,ro,rprivate,nodev"],
  [{ propagation: "rslave", options: ["nosuid"] }, "rbind,rslave,rnodev,nosuid"],
  [{ source: "/dev/net/tun" }, "rbind,rprivate"],
  [{ options: ["dev"] }, "rbind,rprivate,dev"],
  [{ options: ["rdev", "nosuid"] }, "rbind,rprivate,rdev,nosuid"],
  [{ idmap: true }, "rbind,rprivate,ridmap,rnodev"],
  [{ idmap: true, recursive: false }, "bind,rprivate,idmap,nodev"],
] as const) {
  test(`a volume with ${JSON.stringify(changes)} has the options ${expected}`, () => {
    assert.equal(
      mountAt("/data/deep", { mounts: [{ ...bind, ...changes }] }),
      `bind ${"source" in changes ? changes.source : "/src"} /data/deep ${expected}`,
    );
  });
}

test("a mount of one's own replaces the default at its target", () => {
  const mounts = mountsOf({ mounts: [{ kind: "tmpfs", target: "/dev/shm/", readOnly: false, options: [] }] });
  assert.deepEqual(
    mounts.filter((mount) => mount.includes(" /dev/shm ")),
    ["tmpfs tmpfs /dev/shm nosuid,noexec,nodev,mode=1777"],
  );
});

test("bad mounts are refused", () => {
  refuses(
    () => mountsOf({ mounts: [bind, { ...bind, target: "/data//deep" }] }),
    "INVALID_ARGUMENT",
    'Two mounts have the target "/data/deep"',
  );
  refuses(() => mountsOf({ mounts: [{ ...bind, target: "/" }] }), "INVALID_ARGUMENT", /Cannot mount over "\/"/);
  refuses(() => mountsOf({ mounts: [{ ...bind, target: "/x/../etc" }] }), "INVALID_ARGUMENT", /Invalid mount target/);
  refuses(() => mountsOf({ mounts: [{ ...bind, source: "src" }] }), "INVALID_ARGUMENT", 'Invalid bind source "src"');
  refuses(
    () => mountsOf({ devices: [{ source: "/dev/fuse", target: "/dev/fuse", access: "r" }] }),
    "HOST_UNSUPPORTED",
    'Cannot limit the device "/dev/fuse" to the access "r"',
  );
});

test("keep-id runs as the caller, with the caller's home", () => {
  const { spec } = buildSpec(request({ userNamespace: { kind: "keep-id" } }), anna, rootFacts, extra);
  assert.deepEqual(spec.process?.user, { uid: 1000, gid: 1000, additionalGids: [44] });
  assert.ok(spec.process?.env?.includes("HOME=/home/anna"));
  assert.deepEqual(spec.process?.capabilities?.effective, []);
});

test("the request's environment wins over the defaults, later entries over earlier ones", () => {
  const changes = { environment: ["HOME=/x", "A=1", "A=2=3", "EMPTY="], terminal: true };
  const { spec } = buildSpec(request(changes), anna, rootFacts, extra);
  assert.deepEqual(spec.process?.env, [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=0123456789ab",
    "HOME=/x",
    "TERM=xterm",
    "container=pycri",
    "A=2=3",
    "EMPTY=",
  ]);
  for (const entry of ["NAME", "=x", "A=\0"]) {
    refuses(
      () => buildSpec(request({ environment: [entry] }), anna, rootFacts, extra),
      "INVALID_ARGUMENT",
      /Invalid environment variable/,
    );
  }
});

test("process settings reach the Spec", () => {
  const { spec, options } = buildSpec(
    request({
      workingDirectory: "/srv",
      user: "web",
      umask: 0o77,
      hostname: "box",
      oomScoreAdj: 500,
      rlimits: [{ type: "RLIMIT_NPROC", soft: 5, hard: null }],
      sysctls: { "net.core.somaxconn": "5" },
      timeOffset: { monotonic: -0.5, boottime: 86_400 },
      terminal: true,
      terminalSize: { rows: 30, columns: 100 },
      writes: { kind: "refuse" },
      init: true,
      stopTimeout: 3,
      cidFile: "/tmp/cid",
      pidFile: "/tmp/pid",
      security: { noNewPrivileges: false, apparmor: "tight" },
    }),
    { ...anna, apparmor: { enabled: true } },
    rootFacts,
    { ...extra, cgroupsPath: "/a/b", resources: { pids: { limit: 7 } }, seccomp: { defaultAction: "SCMP_ACT_ALLOW" } },
  );
  const { process, linux } = spec;
  assert.deepEqual(process?.user, { uid: 33, gid: 33, additionalGids: [29, 44], umask: 0o77 });
  assert.deepEqual(process?.consoleSize, { height: 30, width: 100 });
  assert.equal(process?.cwd, "/srv");
  assert.equal(process?.noNewPrivileges, false);
  assert.equal(process?.apparmorProfile, "tight");
  assert.equal(process?.oomScoreAdj, 500);
  assert.deepEqual(
    process?.rlimits?.map((limit) => limit.type),
    ["RLIMIT_NPROC", "RLIMIT_NOFILE"],
  );
  assert.ok(process?.env?.includes("HOSTNAME=box"));
  assert.deepEqual([spec.hostname, spec.root?.readonly], ["box", true]);
  assert.deepEqual(linux?.sysctl, { "net.core.somaxconn": "5" });
  assert.deepEqual(linux?.timeOffsets, {
    monotonic: { secs: -1, nanosecs: 500_000_000 },
    boottime: { secs: 86_400, nanosecs: 0 },
  });
  assert.ok(linux?.namespaces?.some(({ type }) => type === "time"));
  assert.deepEqual(
    [linux?.cgroupsPath, linux?.resources, linux?.seccomp],
    ["/a/b", { pids: { limit: 7 } }, { defaultAction: "SCMP_ACT_ALLOW" }],
  );
  assert.deepEqual(
    [options.init, options.stopTimeout, options.cidFile, options.pidFile],
    [true, 3, "/tmp/cid", "/tmp/pid"],
  );
});

test("limits of a request reach linux.resources", () => {
  const { spec } = buildSpec(request({ resources: { memory: 1000, cpuQuota: 5 } }), anna, rootFacts, extra);
  assert.deepEqual(spec.linux?.resources, { memory: { limit: 1000 }, cpu: { quota: 5 } });
});

test("contradictions are refused", () => {
  const refusal = (
    changes: RequestChanges,
    message: string | RegExp,
    code: "INVALID_ARGUMENT" | "HOST_UNSUPPORTED" = "INVALID_ARGUMENT",
  ): void => refuses(() => buildSpec(request(changes), anna, rootFacts, extra), code, message);
  refusal({ utsNamespace: "host", hostname: "x" }, 'Cannot set the hostname "x" of the host');
  refusal({ workingDirectory: "srv" }, 'The working directory "srv" is not absolute');
  refusal({ root: { kind: "host" }, writes: { kind: "through" } }, "The root filesystem host is read-only");
  refusal(
    { security: { apparmor: "x" } },
    'Cannot apply the AppArmor profile "x": the host has no AppArmor',
    "HOST_UNSUPPORTED",
  );
});

test("with the host's UTS namespace there is no hostname to set", () => {
  const { spec } = buildSpec(request({ utsNamespace: "host" }), anna, rootFacts, extra);
  assert.equal(spec.hostname, undefined);
  assert.ok(!spec.process?.env?.some((entry) => entry.startsWith("HOSTNAME=")));
});

test("the host as root filesystem covers what is private, and gives its user a home", () => {
  const { spec, options } = buildSpec(request({ root: { kind: "host" } }), anna, rootFacts, extra);
  assert.deepEqual(spec.root, { path: "/", readonly: true });
  assert.ok(options.root.kind === "host");
  const covered = new Map(options.root.hidden.map((entry) => [entry.path, entry]));
  for (const path of ["/tmp", "/var/tmp", "/run", "/home", "/mnt", "/media", "/srv"])
    assert.ok(covered.has(path), path);
  assert.deepEqual(covered.get("/tmp"), { path: "/tmp", mode: 0o1777, uid: 0, gid: 0 });
  assert.deepEqual(covered.get("/root"), { path: "/root", mode: 0o700, uid: 0, gid: 0 });
  for (const path of ["/etc/shadow", "/var/lib/docker", "/var/mail"]) {
    assert.ok(spec.linux?.maskedPaths?.includes(path), path);
  }
});

test("a home and a state directory of the caller's are covered wherever they lie; the home of a daemon stays", () => {
  const facts = { ...anna, home: "/data/anna", runtimeDirectory: "/opt/state" };
  const hiddenFor = (user: string): readonly string[] => {
    const { options } = buildSpec(
      request({ root: { kind: "host" }, user }),
      facts,
      { ...rootFacts, passwd: "d:x:2:2::/usr/sbin:/\na:x:3:3::/home/a:/\n" },
      extra,
    );
    assert.ok(options.root.kind === "host");
    return options.root.hidden.map((entry) => `${entry.path} ${entry.uid}`);
  };
  assert.ok(hiddenFor("d").includes("/data/anna 0"));
  assert.ok(hiddenFor("d").includes("/opt/state 0"));
  assert.ok(!hiddenFor("d").some((entry) => entry.startsWith("/usr")));
  assert.ok(hiddenFor("a").includes("/home/a 3"));
});

test("root's container has root's ids", () => {
  const { spec } = buildSpec(request(), root, rootFacts, extra);
  assert.deepEqual(spec.linux?.uidMappings, [{ containerID: 0, hostID: 0, size: 65_536 }]);
});
