import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../../src/errors.ts";
import { buildSpec } from "../../../src/plan/build-spec.ts";
import { explainFailure } from "../../../src/plan/explain-failure.ts";
import type { LaunchPlan, PlanSection } from "../../../src/plan/launch-plan.ts";
import {
  ANCHOR,
  CONTAINER_OPERATIONS,
  type ContainerOperation,
  MONITOR_OPERATIONS,
  type MonitorOperation,
  type Operation,
} from "../../../src/plan/operations.ts";
import { planLaunch } from "../../../src/plan/plan-launch.ts";
import { anna, extra, filter, request, rootFacts } from "./made-up-host.ts";

const EPERM = 1;
const ENOENT = 2;
const EIO = 5;
const E2BIG = 7;
const ENOEXEC = 8;
const EAGAIN = 11;
const ENOMEM = 12;
const EACCES = 13;
const EEXIST = 17;
const ENODEV = 19;
const ENOTDIR = 20;
const EINVAL = 22;
const ENOSPC = 28;
const EROFS = 30;
const ENOSYS = 38;
const ELOOP = 40;
const EOVERFLOW = 75;
const EDQUOT = 122;

const NAMES: Readonly<Record<number, string>> = { 1: "EPERM", 22: "EINVAL" };

const { spec, options } = buildSpec(
  request({
    mounts: [
      {
        kind: "bind",
        source: "/src",
        target: "/data",
        readOnly: true,
        recursive: true,
        recursiveReadOnly: true,
        propagation: "rprivate",
        createSource: false,
        idmap: false,
        options: [],
      },
    ],
    workingDirectory: "/srv",
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 10, hard: 9_000_000 }],
    sysctls: { "net.core.somaxconn": "7" },
    cidFile: "/tmp/cid",
    oomScoreAdj: -999,
    command: ["tool", "-x"],
  }),
  anna,
  rootFacts,
  extra,
);
const plan: LaunchPlan = planLaunch(spec, options, anna, filter);

interface Case {
  readonly operation: (operation: Operation) => boolean;
  readonly errno: number;
  readonly detail?: string;
  readonly code: ErrorCode;
  readonly message: string | RegExp;
  readonly hint?: RegExp;
}

const is =
  (op: Operation["op"], test: (operation: never) => boolean = () => true) =>
  (operation: Operation): boolean =>
    operation.op === op && test(operation as never);

const mountOf = (type: string) => is("mount", ((operation: { type: string }) => operation.type === type) as never);
const opened = (path: string) => is("openTree", ((operation: { path: string }) => operation.path === path) as never);
const attached = (target: string) =>
  is("attach", ((operation: { target: string }) => operation.target === target) as never);
const written = (name: string) =>
  is("writeChildProc", ((operation: { name: string }) => operation.name === name) as never);

const inPlan: readonly Case[] = [
  {
    operation: is("clone"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: "Cannot create the namespaces ipc, mount, network, pid, user, uts: EPERM",
    hint: /kernel\.unprivileged_userns_clone=1.*apparmor_restrict_unprivileged_userns=0/,
  },
  {
    operation: is("clone"),
    errno: EACCES,
    code: "HOST_UNSUPPORTED",
    message: "Cannot create the namespaces ipc, mount, network, pid, user, uts: EACCES",
    hint: /AppArmor profile .* needs the rule "userns,"/,
  },
  {
    operation: is("clone"),
    errno: ENOSPC,
    code: "HOST_UNSUPPORTED",
    message: /ENOSPC$/,
    hint: /user\.max_user_namespaces/,
  },
  { operation: is("clone"), errno: EINVAL, code: "HOST_UNSUPPORTED", message: /EINVAL$/, hint: /built without/ },
  { operation: is("clone"), errno: ENOSYS, code: "HOST_UNSUPPORTED", message: /ENOSYS$/, hint: /Linux 5\.3/ },
  { operation: is("clone"), errno: EAGAIN, code: "LIMIT_UNSUPPORTED", message: /EAGAIN$/, hint: /ulimit -u/ },
  { operation: is("clone"), errno: EIO, code: "LAUNCH_FAILED", message: /EIO$/ },
  {
    operation: is("runIdMapTools"),
    errno: EPERM,
    detail: "newuidmap: uid range not allowed\n",
    code: "HOST_UNSUPPORTED",
    message: /^Cannot map ids with "\/usr\/bin\/newuidmap" .*: EPERM \(newuidmap: uid range not allowed\)$/,
    hint: /\/etc\/subuid/,
  },
  {
    operation: written("oom_score_adj"),
    errno: EACCES,
    code: "LIMIT_UNSUPPORTED",
    message: "Cannot set oom_score_adj to -999: EACCES",
    hint: /--oom-score-adj/,
  },
  {
    operation: is("writeHostFile"),
    errno: EEXIST,
    code: "IO",
    message: 'Cannot write the file "/tmp/cid" on the host: EEXIST',
    hint: /Remove "\/tmp\/cid"/,
  },
  { operation: is("writeHostFile"), errno: EACCES, code: "IO", message: /EACCES$/ },
  {
    operation: opened("/rootfs"),
    errno: ENOENT,
    detail: "/rootfs",
    code: "ROOTFS_NOT_FOUND",
    message: 'Cannot open the root filesystem "/rootfs": ENOENT',
    hint: /exist/,
  },
  {
    operation: opened("/rootfs"),
    errno: EACCES,
    code: "ROOTFS_NOT_FOUND",
    message: /EACCES$/,
    hint: /search every directory/,
  },
  {
    operation: opened("/src"),
    errno: ENOENT,
    code: "MOUNT_SOURCE_NOT_FOUND",
    message: 'Cannot open the mount source "/src": ENOENT',
    hint: /exist/,
  },
  { operation: opened("/src"), errno: EINVAL, code: "INVALID_ARGUMENT", message: /EINVAL$/, hint: /rbind/ },
  { operation: opened("/src"), errno: EIO, code: "LAUNCH_FAILED", message: /EIO$/ },
  {
    operation: is("enterStage"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount the stage at "/run/user/1000/pycri/stage": EPERM',
    hint: /apparmor/,
  },
  { operation: is("enterStage"), errno: ENOENT, code: "HOST_UNSUPPORTED", message: /ENOENT$/, hint: /XDG_RUNTIME_DIR/ },
  {
    operation: mountOf("proc"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount "proc" at "/proc": EPERM',
    hint: /--pid host/,
  },
  {
    operation: mountOf("sysfs"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount "sysfs" at "/sys": EPERM',
    hint: /--network host/,
  },
  {
    operation: mountOf("mqueue"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount "mqueue" at "/dev/mqueue": EPERM',
    hint: /IPC/,
  },
  {
    operation: mountOf("overlay"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount "overlay" at "root" of the stage: EPERM',
    hint: /fuse-overlayfs/,
  },
  {
    operation: mountOf("overlay"),
    errno: EINVAL,
    code: "HOST_UNSUPPORTED",
    message: 'Cannot mount "overlay" at "root" of the stage: EINVAL',
    hint: /mounted below the root filesystem/,
  },
  {
    operation: mountOf("devpts"),
    errno: EINVAL,
    detail: "devpts: Bad value for 'gid'",
    code: "INVALID_ARGUMENT",
    message: `Cannot mount "devpts" at "/dev/pts": EINVAL (devpts: Bad value for 'gid')`,
    hint: /"devpts" refuses/,
  },
  {
    operation: mountOf("mqueue"),
    errno: ENODEV,
    code: "HOST_UNSUPPORTED",
    message: /ENODEV$/,
    hint: /modprobe mqueue/,
  },
  {
    operation: mountOf("tmpfs"),
    errno: EPERM,
    code: "HOST_UNSUPPORTED",
    message: /"tmpfs"/,
    hint: /user namespace mount the file system "tmpfs"/,
  },
  { operation: mountOf("tmpfs"), errno: ENOMEM, code: "LAUNCH_FAILED", message: /ENOMEM$/ },
  {
    operation: attached("/data"),
    errno: ENOENT,
    detail: "/data",
    code: "INVALID_ARGUMENT",
    message: 'Cannot bind "/src" at "/data": ENOENT',
    hint: /"\/data" does not exist/,
  },
  { operation: attached("/data"), errno: EROFS, code: "INVALID_ARGUMENT", message: /EROFS$/, hint: /read-only/ },
  {
    operation: attached("/data"),
    errno: ENOTDIR,
    code: "INVALID_ARGUMENT",
    message: /ENOTDIR$/,
    hint: /one is a directory/,
  },
  {
    operation: attached("/data"),
    errno: ELOOP,
    code: "INVALID_ARGUMENT",
    message: /ELOOP$/,
    hint: /Symbolic links in "\/data"/,
  },
  { operation: attached("/data"), errno: EPERM, code: "INVALID_ARGUMENT", message: /EPERM$/, hint: /not lift them/ },
  {
    operation: attached("/data"),
    errno: EACCES,
    code: "LAUNCH_FAILED",
    message: /EACCES$/,
    hint: /ids that are not mapped/,
  },
  { operation: attached("/data"), errno: EIO, code: "LAUNCH_FAILED", message: /EIO$/ },
  {
    operation: is("makeDirectory"),
    errno: EACCES,
    detail: "layer/upper",
    code: "LAUNCH_FAILED",
    message: /\(layer\/upper\)$/,
    hint: /--upper/,
  },
  {
    operation: is("makeDirectory"),
    errno: ENOTDIR,
    code: "INVALID_ARGUMENT",
    message: /ENOTDIR$/,
    hint: /no directory/,
  },
  {
    operation: is("makeDirectory"),
    errno: EOVERFLOW,
    code: "ID_NOT_GRANTED",
    message: /EOVERFLOW$/,
    hint: /not mapped/,
  },
  { operation: is("makeDirectory"), errno: EROFS, code: "INVALID_ARGUMENT", message: /EROFS$/, hint: /read-only/ },
  { operation: is("makeDirectory"), errno: EIO, code: "LAUNCH_FAILED", message: /EIO$/ },
  {
    operation: is("requestProgram"),
    errno: EIO,
    detail: "cp: cannot open 'x'",
    code: "LAUNCH_FAILED",
    message: `Cannot run "/bin/cp" "-a" "lower/." "root": EIO (cp: cannot open 'x')`,
    hint: /--rw/,
  },
  {
    operation: is("setSysctl"),
    errno: ENOENT,
    code: "INVALID_ARGUMENT",
    message: 'Cannot set the sysctl net.core.somaxconn to "7": ENOENT',
    hint: /no such parameter/,
  },
  {
    operation: is("setSysctl"),
    errno: EINVAL,
    code: "INVALID_ARGUMENT",
    message: /EINVAL$/,
    hint: /refuses the value/,
  },
  {
    operation: is("setHostname"),
    errno: EINVAL,
    code: "INVALID_ARGUMENT",
    message: 'Cannot set the hostname to "0123456789ab": EINVAL',
    hint: /64 bytes/,
  },
  {
    operation: is("setRlimit"),
    errno: EPERM,
    code: "LIMIT_UNSUPPORTED",
    message: "Cannot set RLIMIT_NOFILE to 10:9000000: EPERM",
    hint: /--ulimit nofile.*limits\.conf/,
  },
  { operation: is("setRlimit"), errno: EINVAL, code: "INVALID_ARGUMENT", message: /EINVAL$/ },
  {
    operation: is("setUser"),
    errno: EINVAL,
    code: "ID_NOT_GRANTED",
    message: "Cannot become user 0 and group 0: EINVAL",
    hint: /\/etc\/subuid/,
  },
  {
    operation: is("joinSessionKeyring"),
    errno: EDQUOT,
    code: "HOST_UNSUPPORTED",
    message: /EDQUOT$/,
    hint: /kernel\.keys\.maxkeys/,
  },
  { operation: is("joinSessionKeyring"), errno: EPERM, code: "LAUNCH_FAILED", message: /EPERM$/ },
  {
    operation: is("changeDirectory"),
    errno: EACCES,
    code: "INVALID_ARGUMENT",
    message: 'Cannot change to the working directory "/srv": EACCES',
    hint: /--workdir/,
  },
  {
    operation: is("loadSeccomp"),
    errno: EINVAL,
    code: "INVALID_PROFILE",
    message: "Cannot load the seccomp filter (1 instructions): EINVAL",
    hint: /pycri seccomp check/,
  },
  { operation: is("loadSeccomp"), errno: EACCES, code: "INVALID_PROFILE", message: /EACCES$/, hint: /CAP_SYS_ADMIN/ },
  { operation: is("loadSeccomp"), errno: ENOMEM, code: "INVALID_PROFILE", message: /ENOMEM$/, hint: /32768/ },
  { operation: is("loadSeccomp"), errno: EIO, code: "LAUNCH_FAILED", message: /EIO$/ },
  {
    operation: is("execute"),
    errno: ENOENT,
    detail: "/usr/local/sbin/tool",
    code: "COMMAND_NOT_FOUND",
    message: 'Cannot find the command "tool" in the container\'s PATH',
    hint: /^Looked in \/usr\/local\/sbin, \/usr\/local\/bin, \/usr\/sbin, \/usr\/bin, \/sbin, \/bin\.$/,
  },
  {
    operation: is("execute"),
    errno: EACCES,
    detail: "/bin/tool",
    code: "COMMAND_NOT_EXECUTABLE",
    message: 'Cannot execute "/bin/tool": EACCES',
    hint: /noexec/,
  },
  {
    operation: is("execute"),
    errno: ENOEXEC,
    detail: "/bin/tool",
    code: "COMMAND_NOT_EXECUTABLE",
    message: 'Cannot execute "/bin/tool": ENOEXEC',
    hint: /architecture/,
  },
  {
    operation: is("execute"),
    errno: E2BIG,
    code: "COMMAND_NOT_EXECUTABLE",
    message: 'Cannot execute "tool": E2BIG',
    hint: /ARG_MAX/,
  },
  { operation: is("execute"), errno: EPERM, code: "COMMAND_NOT_EXECUTABLE", message: 'Cannot execute "tool": EPERM' },
  {
    operation: is("pivotRoot"),
    errno: EINVAL,
    code: "LAUNCH_FAILED",
    message: "Cannot make the root filesystem the root and detach everything else: EINVAL",
  },
];

function check(failing: LaunchPlan, section: PlanSection, index: number, wanted: Omit<Case, "operation">): void {
  const error = explainFailure(failing, { section, index, errno: wanted.errno, detail: wanted.detail ?? "" });
  if (typeof wanted.message === "string") assert.equal(error.message, wanted.message);
  else assert.match(error.message, wanted.message);
  assert.equal(error.code, wanted.code);
  if (wanted.hint === undefined) assert.equal(error.hint, undefined);
  else assert.match(error.hint ?? "", wanted.hint);
}

for (const { operation, ...wanted } of inPlan) {
  test(`${String(wanted.message)} is ${wanted.code}`, () => {
    const section = plan.monitor.some(operation) ? "monitor" : "container";
    const index = plan[section].findIndex(operation);
    assert.notEqual(index, -1, "the operation is not in the plan");
    check(plan, section, index, wanted);
  });
}

/** Operations that the plan above does not have. */
const alone: readonly (readonly [MonitorOperation | ContainerOperation, Omit<Case, "operation">])[] = [
  [
    { op: "writeChildProc", name: "gid_map", contents: "0 1000 1\n" },
    {
      errno: EPERM,
      code: "HOST_UNSUPPORTED",
      message: 'Cannot write "0 1000 1" to the container\'s gid_map: EPERM',
      hint: /The kernel refuses the id map/,
    },
  ],
  [
    { op: "writeChildProc", name: "uid_map", contents: "0 1000 1\n" },
    { errno: EINVAL, code: "HOST_UNSUPPORTED", message: /EINVAL$/, hint: /pycri doctor/ },
  ],
  [
    { op: "clone", flags: 0n, cgroup: "/cg" },
    {
      errno: EIO,
      code: "LIMIT_UNSUPPORTED",
      message: 'Cannot create the namespaces  in the cgroup "/cg": EIO',
      hint: /cgroup takes no/,
    },
  ],
  [
    { op: "openTreeIdmapped", slot: 0, path: "/v", recursive: 0 },
    {
      errno: EINVAL,
      code: "HOST_UNSUPPORTED",
      message: 'Cannot open the mount source "/v": EINVAL',
      hint: /idmapped mounts/,
    },
  ],
  [
    { op: "setTimeOffset", clock: 1, seconds: -5n, nanoseconds: 0 },
    {
      errno: 34,
      code: "INVALID_ARGUMENT",
      message: "Cannot set the clock CLOCK_MONOTONIC off by -5 s and 0 ns: ERANGE",
      hint: /146 years/,
    },
  ],
  [
    { op: "setMountAttributes", anchor: ANCHOR.root, path: "/x", set: 1n, clear: 0n, propagation: 0n, recursive: 0 },
    { errno: EPERM, code: "LAUNCH_FAILED", message: 'Cannot change the mount "/x" (ro): EPERM', hint: /not lift them/ },
  ],
  [
    { op: "makeFile", anchor: ANCHOR.root, path: "/dev/console", mode: 0 },
    {
      errno: EACCES,
      code: "LAUNCH_FAILED",
      message: 'Cannot make the file "/dev/console": EACCES',
      hint: /ids that are not mapped/,
    },
  ],
  [
    { op: "apparmorOnExec", label: "p" },
    {
      errno: ENOENT,
      code: "HOST_UNSUPPORTED",
      message: 'Cannot set the AppArmor profile "p": ENOENT',
      hint: /apparmor_parser/,
    },
  ],
  [
    { op: "apparmorOnExec", label: "p" },
    { errno: EACCES, code: "HOST_UNSUPPORTED", message: /EACCES$/, hint: /own AppArmor profile/ },
  ],
  [
    { op: "landlockEnforce" },
    {
      errno: EPERM,
      code: "HOST_UNSUPPORTED",
      message: "Cannot enforce the Landlock ruleset: EPERM",
      hint: /landlock=off/,
    },
  ],
  [
    { op: "setScheduler", policy: 1, flags: 0n, nice: 0, priority: 1, runtime: 0n, deadline: 0n, period: 0n },
    { errno: EPERM, code: "LIMIT_UNSUPPORTED", message: /EPERM$/, hint: /CAP_SYS_NICE/ },
  ],
  [
    { op: "setAffinity", cpus: [0, 99] },
    {
      errno: EINVAL,
      code: "LIMIT_UNSUPPORTED",
      message: "Cannot bind the process to the CPUs 0, 99: EINVAL",
      hint: /online/,
    },
  ],
  [
    { op: "joinNamespace", path: "/ns", type: 0x4000_0000n },
    {
      errno: ENOENT,
      code: "INVALID_SPEC",
      message: 'Cannot join the namespace "/ns" (network): ENOENT',
      hint: /must exist/,
    },
  ],
  [
    { op: "joinNamespace", path: "/ns", type: 0x4000_0000n },
    { errno: EPERM, code: "HOST_UNSUPPORTED", message: /EPERM$/, hint: /user namespace/ },
  ],
  [
    { op: "unshare", flags: 0x80n },
    { errno: EINVAL, code: "HOST_UNSUPPORTED", message: "Cannot create the namespaces time: EINVAL", hint: /lacks/ },
  ],
  [
    { op: "openTerminal", uid: 0, rows: 1, columns: 1, console: 1 },
    { errno: ENOENT, code: "LAUNCH_FAILED", message: /^Cannot open a terminal/, hint: /devpts/ },
  ],
  [
    { op: "execute", candidates: ["/opt/x"], arguments: ["/opt/x"], environment: [] },
    {
      errno: ENOENT,
      code: "COMMAND_NOT_FOUND",
      message: 'Cannot find the command "/opt/x" in the container',
      hint: /dynamic loader/,
    },
  ],
  [
    { op: "holdLock", path: "/l" },
    { errno: EAGAIN, code: "INVALID_STATE", message: 'Cannot lock "/l": EAGAIN', hint: /Another pycri/ },
  ],
  [
    { op: "writeKernelFile", path: "/sys/fs/cgroup/x", contents: "1" },
    {
      errno: EPERM,
      code: "LIMIT_UNSUPPORTED",
      message: 'Cannot write "1" to "/sys/fs/cgroup/x": EPERM',
      hint: /delegated/,
    },
  ],
  [
    { op: "makeHostDirectory", path: "/d", mode: 0, mayExist: 0 },
    { errno: EEXIST, code: "IO", message: 'Cannot make the directory "/d" on the host: EEXIST' },
  ],
];

for (const [operation, wanted] of alone) {
  test(`alone: ${String(wanted.message)} is ${wanted.code}`, () => {
    const failing: LaunchPlan = {
      monitor: operation.op in MONITOR_OPERATIONS ? [operation as MonitorOperation] : [],
      container: operation.op in CONTAINER_OPERATIONS ? [operation as ContainerOperation] : [],
      cleanup: [],
      reporter: [],
    };
    check(failing, failing.monitor.length > 0 ? "monitor" : "container", 0, wanted);
  });
}

test("every operation of the plan can fail with a message of its own words", () => {
  for (const section of ["monitor", "container"] as const) {
    for (const [index, { op }] of plan[section].entries()) {
      for (const errno of [EPERM, EINVAL]) {
        const error = explainFailure(plan, { section, index, errno, detail: "" });
        assert.match(error.message, new RegExp(`^Cannot .*: ${NAMES[errno] ?? ""}$`), op);
        assert.equal(error.details["operation"], op);
      }
    }
  }
});

test("an unreadable plan is a mismatch of builds", () => {
  const error = explainFailure(plan, { section: "container", index: -1, errno: EINVAL, detail: "" });
  assert.equal(error.message, "The native helper could not read the launch plan: EINVAL");
  assert.equal(error.code, "LAUNCH_FAILED");
});
