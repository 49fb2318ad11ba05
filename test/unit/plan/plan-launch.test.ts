import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RuntimeError } from "../../../src/errors.ts";
import { MOUNT_ATTR, MS } from "../../../src/oci/mount-options.ts";
import type { Spec } from "../../../src/oci/spec.ts";
import { buildSpec } from "../../../src/plan/build-spec.ts";
import { decodePlan } from "../../../src/plan/decode.ts";
import { describeOperation, slotUses } from "../../../src/plan/describe-operation.ts";
import { encodePlan } from "../../../src/plan/encode.ts";
import type { HostFacts } from "../../../src/plan/host-facts.ts";
import { landlockStatus } from "../../../src/plan/landlock.ts";
import type { LaunchOptions } from "../../../src/plan/launch-options.ts";
import type { LaunchPlan } from "../../../src/plan/launch-plan.ts";
import { ANCHOR, CREATE, type ContainerOperation, type Operation, SUPERVISE } from "../../../src/plan/operations.ts";
import { NO_SURROUNDINGS, planLaunch } from "../../../src/plan/plan-launch.ts";
import type { SeccompProgram } from "../../../src/plan/process.ts";
import { refuses } from "./errors.ts";
import { type RequestChanges, anna, annaAlone, extra, filter, request, root, rootFacts } from "./made-up-host.ts";
import { hosts, requests } from "./random-requests.ts";

const SYS_ADMIN = 1n << 21n;

function launch(
  changes: RequestChanges = {},
  facts: HostFacts = anna,
  program: SeccompProgram | null = filter,
): LaunchPlan {
  const { spec, options } = buildSpec(request(changes), facts, rootFacts, extra);
  return planLaunch(spec, options, facts, program);
}

/** A plan of the simplest Spec after an edit. */
function launchSpec(
  edit: (spec: Spec) => Spec,
  options: Partial<LaunchOptions> = {},
  facts: HostFacts = anna,
): LaunchPlan {
  const built = buildSpec(request(), facts, rootFacts, extra);
  return planLaunch(edit(built.spec), { ...built.options, ...options }, facts, filter);
}

function names(operations: readonly Operation[]): readonly string[] {
  return operations.map(({ op }) => op);
}

function find<Name extends Operation["op"]>(
  plan: LaunchPlan,
  name: Name,
): readonly (Operation & { readonly op: Name })[] {
  return [...plan.monitor, ...plan.container, ...plan.cleanup].filter(
    (operation): operation is Operation & { readonly op: Name } => operation.op === name,
  );
}

function described(plan: LaunchPlan): readonly string[] {
  const uses = slotUses(plan);
  return plan.container.map((operation) => describeOperation(operation, uses));
}

/** Index of an operation that must be there. */
function indexOf(operations: readonly Operation[], name: Operation["op"], from: "first" | "last" = "first"): number {
  const index = from === "first" ? names(operations).indexOf(name) : names(operations).lastIndexOf(name);
  assert.notEqual(index, -1, `no ${name}`);
  return index;
}

test("the operations of the simplest run, in order", () => {
  const plan = launch({}, annaAlone);
  assert.deepEqual(names(plan.monitor), [
    "spawnJanitor",
    "clone",
    "writeChildProc",
    "writeChildProc",
    "writeChildProc",
    "release",
    "supervise",
  ]);
  const once = names(plan.container).filter((name, index, all) => name !== all[index - 1]);
  assert.deepEqual(once, [
    "deathSignal",
    "unshare",
    "setDumpable",
    "setUmask",
    "setHostname",
    "raiseLoopback",
    "setPropagation",
    "openTree",
    "enterStage",
    "makeDirectory",
    "attach",
    "makeDirectory",
    "attempt",
    "mount",
    "attach",
    "warn",
    "mount",
    "attach",
    "requestProgram",
    "pivotStage",
    "openRoot",
    ...Array.from({ length: 7 }, () => ["mount", "attach"]).flat(),
    "makeSymlink",
    "readOnlyPath",
    "maskPath",
    "pivotRoot",
    "newSession",
    "limitBounding",
    "keepCapabilities",
    "setUser",
    "keepCapabilities",
    "setCapabilities",
    "setAmbient",
    "setDumpable",
    "deathSignal",
    "joinSessionKeyring",
    "setUmask",
    "noNewPrivileges",
    "changeDirectory",
    "setRlimit",
    "closeDescriptors",
    "loadSeccomp",
    "execute",
  ]);
});

test("laws of every plan", () => {
  let planned = 0;
  fc.assert(
    fc.property(requests, hosts, fc.boolean(), (wanted, facts, filtered) => {
      let plan: LaunchPlan;
      let spec: Spec;
      try {
        const built = buildSpec(wanted, facts, rootFacts, extra);
        spec = built.spec;
        plan = planLaunch(spec, built.options, facts, filtered ? filter : null);
      } catch (error) {
        assert.ok(error instanceof RuntimeError, String(error));
        return;
      }
      planned++;
      assert.deepEqual(decodePlan(encodePlan(plan)), plan, "the plan does not survive the wire");

      const { container, monitor } = plan;
      const at = (name: Operation["op"], from: "first" | "last" = "first"): number => indexOf(container, name, from);
      assert.ok(at("openTree", "last") < at("enterStage"), "a source is opened after the view has changed");
      assert.ok(at("setPropagation") < at("openTree"), "a source is opened before propagation is cut");
      assert.ok(at("enterStage") < at("pivotStage") && at("pivotStage") < at("pivotRoot"));
      const mounting = ["mount", "attach", "maskPath", "readOnlyPath", "setMountAttributes", "makeDirectory"];
      for (const [index, { op }] of container.entries()) {
        if (mounting.includes(op)) assert.ok(index < at("pivotRoot"), `${op} after pivotRoot`);
      }
      const programs = container.findLastIndex(({ op }) => op === "requestProgram");
      assert.ok(programs < at("pivotStage"), "a host program after the host is gone");

      const user = at("setUser", "last");
      assert.ok(at("limitBounding") < user, "the bounding set is limited too late");
      assert.ok(at("keepCapabilities") < user && user < at("setCapabilities"));
      assert.ok(at("setCapabilities") < at("setAmbient"));
      assert.ok(user < at("deathSignal", "last"), "the death signal is lost");
      assert.ok(user < at("setDumpable", "last"), "the process is dumpable");
      const groups = container.findIndex(({ op }) => op === "setGroups");
      if (groups !== -1) assert.ok(groups < user, "groups are left too late");

      assert.equal(at("execute"), container.length - 1);
      const last = find(plan, "setCapabilities").at(-1);
      assert.ok(last !== undefined);
      const granted = wanted.capabilitiesAdd.some((name) => name === "SYS_ADMIN" || name === "ALL");
      if (!granted) assert.equal((last.effective | last.permitted | last.inheritable) & SYS_ADMIN, 0n);
      assert.equal((last.effective | last.inheritable) & ~(last.permitted | last.inheritable), 0n);
      if (filtered) {
        const load = at("loadSeccomp");
        const held = find(plan, "setCapabilities")[0];
        const unprivileged = container.findIndex(({ op }) => op === "noNewPrivileges");
        assert.equal(unprivileged !== -1, wanted.security.noNewPrivileges);
        if (unprivileged === -1) assert.ok(((held?.effective ?? 0n) & SYS_ADMIN) !== 0n, "the filter cannot be loaded");
        else assert.ok(unprivileged < load, "the filter is loaded before no_new_privs");
        const between = names(container.slice(load + 1));
        assert.deepEqual(between, wanted.security.noNewPrivileges ? ["execute"] : ["setCapabilities", "execute"]);
      }
      assert.ok(at("closeDescriptors") > at("changeDirectory"));
      assert.ok(at("closeDescriptors") >= container.length - 4);

      assert.equal(names(monitor)[0], "spawnJanitor");
      assert.ok(indexOf(monitor, "clone") < indexOf(monitor, "release"));
      assert.ok(indexOf(monitor, "release") < indexOf(monitor, "supervise"));
      for (const [index, { op }] of monitor.entries()) {
        if (op === "writeChildProc" || op === "runIdMapTools") assert.ok(index < indexOf(monitor, "release"));
      }

      const slots = [...find(plan, "openTree"), ...find(plan, "mount")].map(({ slot }) => slot);
      assert.equal(new Set(slots).size, slots.length, "a slot is used twice");
      for (const { slot } of find(plan, "attach")) assert.ok(slots.includes(slot), `slot ${slot} is empty`);

      // Mount points above a mount are made before it.
      const targets = find(plan, "attach")
        .filter(({ anchor }) => anchor === ANCHOR.root)
        .map(({ target }) => target);
      for (const { destination } of spec.mounts ?? []) assert.ok(targets.includes(destination), destination);
      for (const text of described(plan)) assert.doesNotMatch(text, /undefined|NaN|\[object/);
    }),
    { numRuns: 300 },
  );
  assert.ok(planned > 100, `only ${planned} plans were made`);
});

test("the clone carries every namespace that the container half does not make itself", () => {
  const [clone] = find(launch(), "clone");
  assert.equal(clone?.flags, 0x7c02_0000n);
  assert.deepEqual(find(launch(), "unshare"), [{ op: "unshare", flags: 0x200_0000n }]);
  const [shared] = find(
    launch({
      pidNamespace: "host",
      ipcNamespace: "host",
      utsNamespace: "host",
      cgroupNamespace: "host",
      network: "host",
    }),
    "clone",
  );
  assert.equal(shared?.flags, 0x1002_0000n);
});

test("a time namespace is prepared, set and entered, while the process still owns its /proc files", () => {
  const plan = launch({ timeOffset: { monotonic: 1.25, boottime: -2 } });
  const start = indexOf(plan.container, "setTimeOffset") - 1;
  assert.deepEqual(plan.container.slice(start, start + 4), [
    { op: "unshare", flags: 0x80n },
    { op: "setTimeOffset", clock: 1, seconds: 1n, nanoseconds: 250_000_000 },
    { op: "setTimeOffset", clock: 7, seconds: -2n, nanoseconds: 0 },
    { op: "enterTimeNamespace" },
  ]);
  assert.ok(start + 4 <= indexOf(plan.container, "setDumpable"));
  refuses(
    () => launch({ timeOffset: { monotonic: 1, boottime: 1 } }, { ...anna, hasTimeNamespaces: false }),
    "HOST_UNSUPPORTED",
    "The kernel 6.18.0 has no time namespaces",
  );
});

test("namespaces of a Spec can be joined by path, but not those a process is born in", () => {
  const join = (type: "network" | "pid"): LaunchPlan =>
    launchSpec((spec) => ({
      ...spec,
      mounts: [],
      linux: {
        ...spec.linux,
        namespaces: [{ type: "user" }, { type: "mount" }, { type, path: "/run/ns" }],
      },
    }));
  assert.deepEqual(find(join("network"), "joinNamespace"), [
    { op: "joinNamespace", path: "/run/ns", type: 0x4000_0000n },
  ]);
  refuses(() => join("pid"), "INVALID_SPEC", 'Cannot join the pid namespace "/run/ns"');
});

test("Specs with impossible namespaces are refused", () => {
  const withNamespaces = (namespaces: NonNullable<Spec["linux"]>["namespaces"]): LaunchPlan =>
    launchSpec((spec) => ({ ...spec, linux: { ...spec.linux, ...(namespaces === undefined ? {} : { namespaces }) } }));
  refuses(() => withNamespaces([{ type: "user" }]), "INVALID_SPEC", "A container needs a mount namespace of its own");
  refuses(
    () => withNamespaces([{ type: "mount" }, { type: "mount" }]),
    "INVALID_SPEC",
    'The namespace "mount" is listed twice',
  );
  refuses(
    () => withNamespaces([{ type: "mount" }, { type: "moon" as "pid" }]),
    "INVALID_SPEC",
    'Unknown namespace type "moon"',
  );
  refuses(
    () => launchSpec((spec) => ({ ...spec, linux: { ...spec.linux, timeOffsets: { monotonic: { secs: 1 } } } })),
    "INVALID_SPEC",
    "linux.timeOffsets needs a time namespace of the container's own",
  );
});

test("an ordinary user who keeps its id sets up as the container's root, and is itself again at the end", () => {
  const { container } = launch({ userNamespace: { kind: "keep-id" } });
  const users = container.filter((operation) => operation.op === "setUser");
  assert.deepEqual(users, [
    { op: "setUser", uid: 0, gid: 0 },
    { op: "setUser", uid: 1000, gid: 1000 },
  ]);
  const first = indexOf(container, "setUser");
  assert.equal(container[first - 1]?.op, "enterStage");
  assert.deepEqual(names(container.slice(first + 1, first + 3)), ["setDumpable", "deathSignal"]);
  assert.equal(names(launch().container).filter((name) => name === "setUser").length, 1);
});

test("setgroups is called except where the kernel refuses it", () => {
  assert.deepEqual(find(launch(), "setGroups"), [{ op: "setGroups", gids: [] }]);
  assert.deepEqual(find(launch({ user: "web" }), "setGroups"), [{ op: "setGroups", gids: [29, 44] }]);
  assert.deepEqual(find(launch({}, annaAlone), "setGroups"), []);
});

// Root filesystem.

function stageOf(plan: LaunchPlan): readonly string[] {
  const from = indexOf(plan.container, "enterStage");
  return described(plan).slice(from + 1, indexOf(plan.container, "pivotStage"));
}

const LAYERS = [
  'make the directory "lower" of the stage',
  'bind "/rootfs" at "lower" of the stage (ro)',
  'make the directory "layer" of the stage',
];
const LAYER_DIRECTORIES = [
  'make the directory "layer/upper" of the stage',
  'make the directory "layer/work" of the stage',
  'make the directory "root" of the stage',
];
const OVERLAY = [
  'mount "overlay" at "root" of the stage (lowerdir=lower, upperdir=layer/upper, workdir=layer/work, userxattr)',
  'attach "overlay" at "root" of the stage (nodev)',
];
const COPY = [
  "warn: overlayfs cannot be mounted here; copying the root filesystem into memory",
  'mount "tmpfs" at "root" of the stage (mode=755)',
  'attach "tmpfs" at "root" of the stage (nodev)',
  'run "/bin/cp" "-a" "lower/." "root"',
];
const FUSE = [
  'run "/usr/bin/fuse-overlayfs" "-o" "lowerdir=lower,upperdir=layer/upper,workdir=layer/work" "root"',
  'mount "proc" at "proc" of the stage',
  'make the directory "proc" of the stage',
  'attach "proc" at "proc" of the stage',
  "warn: overlayfs cannot be mounted here; using fuse-overlayfs, which is slower",
];
const withFuse: HostFacts = { ...anna, fuseOverlayfs: "/usr/bin/fuse-overlayfs" };

test("writes go to an overlay, else to a copy", () => {
  assert.deepEqual(stageOf(launch()), [
    ...LAYERS,
    ...LAYER_DIRECTORIES,
    "try the next 2 operations, and should one fail the 4 after them",
    ...OVERLAY,
    ...COPY,
  ]);
});

test("fuse-overlayfs comes between the two, in a nested attempt", () => {
  assert.deepEqual(stageOf(launch({}, withFuse)).slice(6), [
    "try the next 2 operations, and should one fail the 10 after them",
    ...OVERLAY,
    "try the next 5 operations, and should one fail the 4 after them",
    ...FUSE,
    ...COPY,
  ]);
});

test("an upper directory of the host takes the writes, and is never replaced by a copy", () => {
  const writes = { kind: "upper", path: "/upper" } as const;
  assert.deepEqual(stageOf(launch({ writes })), [
    ...LAYERS,
    'bind "/upper" at "layer" of the stage',
    ...LAYER_DIRECTORIES,
    ...OVERLAY,
  ]);
  assert.deepEqual(stageOf(launch({ writes }, withFuse)).slice(7), [
    "try the next 2 operations, and should one fail the 5 after them",
    ...OVERLAY,
    ...FUSE,
  ]);
});

test("--rw is the root filesystem itself", () => {
  assert.deepEqual(stageOf(launch({ writes: { kind: "through" } })), [
    'make the directory "root" of the stage',
    'bind "/rootfs" at "root" of the stage (nodev)',
  ]);
});

const sealRoot = {
  op: "setMountAttributes",
  anchor: ANCHOR.root,
  path: "/",
  set: MOUNT_ATTR.RDONLY,
  clear: 0n,
  propagation: 0n,
  recursive: 0,
};

test("--read-only makes the root read-only after everything in it is made", () => {
  const plan = launch({ writes: { kind: "refuse" } });
  assert.deepEqual(plan.container[indexOf(plan.container, "pivotRoot") - 1], sealRoot);
  assert.equal(stageOf(plan).includes(OVERLAY[0] ?? ""), true);
  assert.deepEqual(
    find(launch(), "setMountAttributes").filter(({ path }) => path === "/"),
    [],
  );
});

test("outside a user namespace the overlay's attributes are the trusted ones", () => {
  const plan = launchSpec(
    (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [{ type: "mount" }, { type: "pid" }] } }),
    {},
    root,
  );
  assert.deepEqual(find(plan, "mount")[0]?.options, ["lowerdir=lower", "upperdir=layer/upper", "workdir=layer/work"]);
  assert.deepEqual(find(plan, "writeChildProc"), []);
  assert.ok(stageOf(plan).includes('attach "overlay" at "root" of the stage'), "devices are the Spec's affair there");
});

test("the host root is bound read-only as a whole, and its private parts covered where they exist", () => {
  const plan = launch({ root: { kind: "host" } });
  assert.deepEqual(stageOf(plan), [
    'make the directory "root" of the stage',
    'bind "/" at "root" of the stage (ro, nosuid, nodev)',
  ]);
  const [bound] = find(plan, "attach");
  assert.equal(bound?.recursive, 1);
  const attach = (target: string): number | undefined =>
    find(plan, "attach").find((entry) => entry.target === target)?.create;
  assert.equal(attach("/tmp"), CREATE.skip);
  assert.equal(attach("/home"), CREATE.skip);
  assert.equal(attach("/proc"), CREATE.nothing);
  assert.equal(attach("/dev"), CREATE.nothing);
  assert.equal(attach("/dev/shm"), CREATE.matching);
  assert.equal(attach("/dev/null"), CREATE.matching);
  const uses = described(plan);
  assert.ok(
    uses.indexOf('attach "tmpfs" at "/home", where it exists') <
      uses.indexOf('mount "proc" at "/proc" (nosuid, nodev, noexec)'),
  );
});

test("in the host root targets are made below private directories only", () => {
  const created = (target: string): number | undefined =>
    find(
      launch({
        root: { kind: "host" },
        mounts: [
          {
            kind: "bind",
            source: "/src",
            target,
            readOnly: false,
            recursive: true,
            recursiveReadOnly: false,
            propagation: "rprivate",
            createSource: false,
            idmap: false,
            options: [],
          },
        ],
      }),
      "attach",
    ).find((entry) => entry.target === target)?.create;
  assert.equal(created("/home/anna/work"), CREATE.matching);
  assert.equal(created("/tmp/x"), CREATE.matching);
  assert.equal(created("/opt/x"), CREATE.nothing);
  assert.equal(created("/homeless"), CREATE.nothing);
});

test("a missing working directory is made, except in the host's own files", () => {
  const made = (changes: RequestChanges): readonly string[] =>
    find(launch(changes), "makeDirectory")
      .filter(({ anchor }) => anchor === ANCHOR.root)
      .map(({ path }) => path);
  assert.deepEqual(made({ workingDirectory: "/srv/app" }), ["/srv/app"]);
  assert.deepEqual(made({}), []);
  assert.deepEqual(made({ root: { kind: "host" }, workingDirectory: "/usr/none" }), []);
  assert.deepEqual(made({ root: { kind: "host" }, workingDirectory: "/tmp/app" }), ["/tmp/app"]);
});

// Mounts.

const volume = {
  kind: "bind",
  source: "/src",
  target: "/data",
  readOnly: false,
  recursive: true,
  recursiveReadOnly: true,
  propagation: "rprivate",
  createSource: false,
  idmap: false,
  options: [],
} as const;

function settingsAt(target: string, plan: LaunchPlan): readonly string[] {
  return described(plan).filter((text) => /^(bind|attach|change)/.test(text) && text.includes(` "${target}"`));
}

test("propagation is cut once at the root, unless a volume wants the host's", () => {
  const cut = launch({ mounts: [volume] });
  assert.deepEqual(find(cut, "setPropagation"), [{ op: "setPropagation", path: "/", flags: MS.REC | MS.PRIVATE }]);
  assert.deepEqual(settingsAt("/data", cut), ['bind "/src" at "/data" (nodev)']);

  const slave = launch({
    mounts: [
      { ...volume, propagation: "rslave" },
      { ...volume, target: "/other" },
    ],
  });
  assert.deepEqual(find(slave, "setPropagation"), [{ op: "setPropagation", path: "/", flags: MS.REC | MS.SLAVE }]);
  assert.deepEqual(settingsAt("/data", slave), ['bind "/src" at "/data" (nodev, slave)']);
  assert.deepEqual(settingsAt("/other", slave), ['bind "/src" at "/other" (nodev, private)']);
  assert.ok(stageOf(slave).includes('bind "/rootfs" at "lower" of the stage (ro, private)'));
});

test("what holds for the tree and what holds for its top are set apart", () => {
  const plan = launch({
    mounts: [{ ...volume, readOnly: true, propagation: "slave", options: ["nosuid", "noatime"] }],
  });
  const [attach] = find(plan, "attach").filter(({ target }) => target === "/data");
  assert.deepEqual(
    [attach?.set, attach?.recursive, attach?.propagation],
    [MOUNT_ATTR.RDONLY | MOUNT_ATTR.NODEV, 1, 0n],
  );
  const [top] = find(plan, "setMountAttributes").filter(({ path }) => path === "/data");
  assert.deepEqual(top, {
    op: "setMountAttributes",
    anchor: ANCHOR.root,
    path: "/data",
    set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOATIME,
    clear: MOUNT_ATTR.ATIME,
    propagation: MS.SLAVE,
    recursive: 0,
  });
});

test("rw of a bind clears nothing, because a locked mount would refuse it", () => {
  const plan = launchSpec((spec) => ({
    ...spec,
    mounts: [{ destination: "data", type: "none", source: "/src", options: ["bind", "rw", "nosuid"] }],
  }));
  const [attach] = find(plan, "attach").filter(({ target }) => target === "/data");
  assert.deepEqual([attach?.set, attach?.clear], [MOUNT_ATTR.NOSUID, 0n]);
  assert.equal(find(plan, "openTree").find(({ path }) => path === "/src")?.recursive, 0);
});

test("a read-only tmpfs is sealed after its mount points are made", () => {
  const plan = launch({
    mounts: [
      { kind: "tmpfs", target: "/data", readOnly: true, options: [] },
      { ...volume, target: "/data/in" },
    ],
  });
  const uses = described(plan);
  const made = uses.findIndex((text) => text.startsWith('mount "tmpfs" at "/data"'));
  assert.doesNotMatch(uses[made] ?? "", /\bro\b/);
  assert.ok(uses.indexOf('bind "/src" at "/data/in" (nodev)') < uses.indexOf('change the mount "/data" (ro)'));
});

test("idmapped volumes take privilege in the initial user namespace", () => {
  const mounts = [{ ...volume, idmap: true }];
  const plan = launch({ mounts }, root);
  const monitor = names(plan.monitor);
  assert.deepEqual(monitor.slice(monitor.indexOf("clone"), monitor.indexOf("release")), [
    "clone",
    "writeChildProc",
    "writeChildProc",
    "openTreeIdmapped",
  ]);
  const [opened] = find(plan, "openTreeIdmapped");
  assert.deepEqual([opened?.path, opened?.recursive], ["/src", 1]);
  assert.ok(!find(plan, "openTree").some(({ path }) => path === "/src"));
  const nested = { ...root, uidMap: [{ inside: 0, outside: 1000, size: 65_536 }] };
  for (const facts of [anna, nested]) {
    refuses(
      () => launch({ mounts }, facts),
      "HOST_UNSUPPORTED",
      'Cannot idmap the volume "/src" at "/data"',
      /keep-id/,
    );
  }
});

test("mounts of a Spec that cannot be are refused", () => {
  const mounted = (mount: NonNullable<Spec["mounts"]>[number]): LaunchPlan =>
    launchSpec((spec) => ({ ...spec, mounts: [mount] }));
  refuses(
    () => mounted({ destination: "/x", type: "bind", source: "rel" }),
    "INVALID_SPEC",
    'The bind mount at "/x" has the source "rel"',
  );
  refuses(() => mounted({ destination: "/x" }), "INVALID_SPEC", 'The mount at "/x" has no type');
  refuses(
    () => mounted({ destination: "/x", type: "bind", source: "/y", options: ["rbind", "size=1"] }),
    "INVALID_ARGUMENT",
    'Unknown option "size=1" of the bind mount "/y" at "/x"',
  );
  refuses(
    () => mounted({ destination: "/proc", type: "bind", source: "/fake" }),
    "INVALID_ARGUMENT",
    'Cannot mount "/fake" at "/proc": it is part of /proc',
    /meminfo/,
  );
  refuses(() => mounted({ destination: "/proc/sys", type: "tmpfs" }), "INVALID_ARGUMENT", /part of \/proc/);
  assert.ok(mounted({ destination: "/proc/meminfo", type: "bind", source: "/fake" }));
});

test("the Spec's cgroup mount is cgroup2 where the host has it", () => {
  assert.deepEqual(find(launch(), "mount").at(-1), {
    op: "mount",
    slot: find(launch(), "mount").at(-1)?.slot,
    type: "cgroup2",
    source: "cgroup",
    options: [],
    attributes: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC,
  });
});

test("device files are the host's own, and those of the Spec besides", () => {
  const plan = launchSpec((spec) => ({
    ...spec,
    process: { ...(spec.process ?? { user: { uid: 0, gid: 0 }, cwd: "/" }), terminal: true },
    linux: {
      ...spec.linux,
      devices: [
        { type: "c", path: "/dev/fuse", major: 10, minor: 229 },
        { type: "c", path: "/dev/null" },
      ],
    },
  }));
  assert.deepEqual(
    find(plan, "attach")
      .map(({ target }) => target)
      .filter((target) => /^\/dev\/(?!pts|shm|mqueue)/.test(target)),
    ["/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero", "/dev/fuse"],
  );
  assert.deepEqual(
    find(plan, "makeFile").map(({ path }) => path),
    ["/dev/console"],
  );
  assert.deepEqual(
    find(plan, "makeSymlink").map(({ path, target }) => `${path} ${target}`),
    [
      "/dev/fd /proc/self/fd",
      "/dev/stdin /proc/self/fd/0",
      "/dev/stdout /proc/self/fd/1",
      "/dev/stderr /proc/self/fd/2",
      "/dev/ptmx pts/ptmx",
    ],
  );
  refuses(
    () => launchSpec((spec) => ({ ...spec, linux: { ...spec.linux, devices: [{ type: "p", path: "/dev/pipe" }] } })),
    "INVALID_SPEC",
    'Cannot make the named pipe "/dev/pipe" as a device',
  );
});

test("a /dev of one's own is left as it is", () => {
  const plan = launch({ mounts: [{ ...volume, source: "/dev", target: "/dev" }] });
  assert.deepEqual(find(plan, "makeSymlink"), []);
  assert.ok(!find(plan, "attach").some(({ target }) => target === "/dev/null"));
});

test("sysctls are set between the mount of proc and its cover", () => {
  const { container } = launch({ sysctls: { "net.core.somaxconn": "7" } });
  const set = indexOf(container, "setSysctl");
  assert.ok(indexOf(container, "attach", "last") < set && set < indexOf(container, "readOnlyPath"));
});

// Process.

test("without no_new_privs SYS_ADMIN is held until the filter is loaded, and no longer", () => {
  const plan = launch({ security: { noNewPrivileges: false } });
  assert.deepEqual(names(plan.container).slice(-5), [
    "setRlimit",
    "closeDescriptors",
    "loadSeccomp",
    "setCapabilities",
    "execute",
  ]);
  const [held, kept] = find(plan, "setCapabilities");
  assert.equal(held?.effective, (kept?.effective ?? 0n) | SYS_ADMIN);
  assert.equal((kept?.permitted ?? SYS_ADMIN) & SYS_ADMIN, 0n);
  const unfiltered = launch({ security: { noNewPrivileges: false } }, anna, null);
  assert.equal(find(unfiltered, "setCapabilities").length, 1);
});

test("--init forks with the filter, and the command alone has the limits", () => {
  const { container } = launch({ init: true, rlimits: [{ type: "RLIMIT_NPROC", soft: 1, hard: 1 }] });
  const fork = indexOf(container, "forkInit");
  assert.deepEqual(container[fork], { op: "forkInit", seccompFlags: 0, program: filter.program });
  assert.ok(fork < indexOf(container, "setRlimit"));
  assert.ok(indexOf(container, "setAmbient") < fork);
  refuses(
    () => launch({ init: true, pidNamespace: "host" }),
    "INVALID_ARGUMENT",
    "--init needs the container's own PID namespace",
  );
});

test("standard input: kept, closed, or a terminal", () => {
  assert.deepEqual(find(launch(), "redirectNull"), []);
  assert.deepEqual(find(launch({ interactive: false }), "redirectNull"), [{ op: "redirectNull", descriptor: 0 }]);
  const plan = launch({ terminal: true, user: "web", terminalSize: { rows: 9, columns: 8 } });
  assert.deepEqual(find(plan, "openTerminal"), [{ op: "openTerminal", uid: 33, rows: 9, columns: 8, console: 1 }]);
  assert.equal(indexOf(plan.container, "openTerminal"), indexOf(plan.container, "newSession") + 1);
});

test("the monitor of a program's container never stops itself", () => {
  const { spec, options } = buildSpec(request(), anna, rootFacts, extra);
  const flagsOf = (endsWithCaller: boolean): number | undefined =>
    find(planLaunch(spec, options, anna, filter, { ...NO_SURROUNDINGS, endsWithCaller }), "supervise")[0]?.flags;
  assert.equal(flagsOf(true), SUPERVISE.forwardSignals | SUPERVISE.defaultActionKills | SUPERVISE.neverStops);
  assert.equal(flagsOf(false), SUPERVISE.forwardSignals | SUPERVISE.defaultActionKills);
});

for (const [changes, flags] of [
  [{}, SUPERVISE.forwardSignals | SUPERVISE.defaultActionKills],
  [{ init: true }, SUPERVISE.forwardSignals],
  [{ pidNamespace: "host" }, SUPERVISE.forwardSignals],
  [{ forwardSignals: false }, 0],
  [{ forwardSignals: false, terminal: true }, SUPERVISE.terminal],
  [{ forwardSignals: false, terminal: true, interactive: false }, SUPERVISE.terminal | SUPERVISE.terminalOutputOnly],
] as const satisfies readonly (readonly [RequestChanges, number])[]) {
  test(`supervision of ${JSON.stringify(changes)} has the flags ${flags}`, () => {
    assert.equal(find(launch(changes), "supervise")[0]?.flags, flags);
  });
}

test("oom_score_adj is written from outside, before the container half hides", () => {
  const plan = launch({ oomScoreAdj: -5 });
  assert.deepEqual(plan.monitor[indexOf(plan.monitor, "clone") + 1], {
    op: "writeChildProc",
    name: "oom_score_adj",
    contents: "-5",
  });
});

test("the umask is the Spec's or 022, and 0 while the root filesystem is made", () => {
  assert.deepEqual(
    find(launch(), "setUmask").map(({ mask }) => mask),
    [0, 0o022],
  );
  assert.deepEqual(
    find(launch({ umask: 0o77 }), "setUmask").map(({ mask }) => mask),
    [0, 0o77],
  );
});

test("an AppArmor profile is set before no_new_privs", () => {
  const { container } = launch({ security: { apparmor: "tight" } }, { ...anna, apparmor: { enabled: true } });
  assert.ok(indexOf(container, "apparmorOnExec") < indexOf(container, "noNewPrivileges"));
  assert.deepEqual(find(launch({ security: { apparmor: "unconfined" } }), "apparmorOnExec"), []);
});

test("a Spec without a command, a process or a root is refused", () => {
  const bare = { user: { uid: 0, gid: 0 }, cwd: "/" };
  refuses(() => launchSpec((spec) => ({ ...spec, process: bare })), "INVALID_SPEC", /process.args is empty/);
  refuses(
    () => launchSpec((spec) => ({ ...spec, process: { ...bare, args: ["x"], cwd: "x" } })),
    "INVALID_SPEC",
    /"x" is not absolute/,
  );
  refuses(() => launchSpec(({ process: _process, ...spec }) => spec), "INVALID_SPEC", "The Spec has no process to run");
  refuses(() => launchSpec(({ root: _root, ...spec }) => spec), "INVALID_SPEC", "The Spec has no root");
});

// Landlock.

function landlocked(plan: LaunchPlan): readonly string[] {
  return find(plan, "landlockAllow").map(({ path }) => path);
}

test("behind a read-only root Landlock allows writing to the writable mounts alone", () => {
  const plan = launch({
    writes: { kind: "refuse" },
    mounts: [
      volume,
      { ...volume, target: "/ro", readOnly: true },
      { ...volume, target: "/rro", readOnly: true, recursive: false },
    ],
  });
  assert.deepEqual(landlocked(plan).toSorted(), [
    "/data",
    "/dev",
    "/dev/mqueue",
    "/dev/pts",
    "/dev/shm",
    "/proc",
    "/proc/self/fd/1",
    "/proc/self/fd/2",
  ]);
  assert.equal(find(plan, "landlockBegin")[0]?.handled, 0x7ff2n);
  assert.ok(indexOf(plan.container, "noNewPrivileges") < indexOf(plan.container, "landlockEnforce"));
  assert.ok(indexOf(plan.container, "pivotRoot") < indexOf(plan.container, "landlockBegin"));
  const older = launch({ writes: { kind: "refuse" } }, { ...anna, landlockAbi: 2 });
  assert.equal(find(older, "landlockBegin")[0]?.handled, 0x3ff2n);
});

test("Landlock is left out where it cannot say what is meant, and refused where it is required", () => {
  const auto: readonly (readonly [RequestChanges, HostFacts])[] = [
    [{}, anna],
    [{ writes: { kind: "refuse" } }, { ...anna, landlockAbi: 0 }],
    [{ writes: { kind: "refuse" } }, { ...anna, landlockAbi: 1 }],
    [{ writes: { kind: "refuse" }, security: { landlock: "off" } }, anna],
  ];
  for (const [changes, facts] of auto)
    assert.deepEqual(
      names(launch(changes, facts).container).filter((name) => name.startsWith("landlock")),
      [],
    );
  assert.deepEqual(landlocked(launch({ writes: { kind: "refuse" } }, anna, null)), []);
  const required = { security: { landlock: "require" } } as const;
  refuses(() => launch(required), "INVALID_ARGUMENT", "Landlock rules need a read-only root filesystem", /--read-only/);
  refuses(
    () => launch({ ...required, writes: { kind: "refuse" } }, { ...anna, landlockAbi: 0 }),
    "HOST_UNSUPPORTED",
    /^Cannot enforce Landlock rules: the kernel has no Landlock/,
  );
  assert.ok(landlocked(launch({ ...required, writes: { kind: "refuse" } }, anna, null)).includes("/dev"));
  const privileged = launch(
    { writes: { kind: "refuse" }, security: { landlock: "require", noNewPrivileges: false } },
    anna,
    null,
  );
  assert.ok(((find(privileged, "setCapabilities")[0]?.effective ?? 0n) & SYS_ADMIN) !== 0n);
});

test("the host root is landlocked, with its private directories open", () => {
  const paths = landlocked(launch({ root: { kind: "host" } }));
  for (const path of ["/tmp", "/home", "/run", "/dev", "/proc"]) assert.ok(paths.includes(path), path);
  assert.ok(!paths.includes("/sys") && !paths.includes("/"));
});

test("landlockStatus says what the kernel can do", () => {
  assert.deepEqual(
    [0, 1, 2, 7].map((landlockAbi) => landlockStatus({ ...anna, landlockAbi }).usable),
    [false, false, true, true],
  );
});

// Surroundings.

test("record and cgroup are woven in: the janitor first, the cgroup gone before the record", () => {
  const note = (path: string) => ({ op: "removeHostFile", path, unlessStarted: 0 }) as const;
  const { spec, options } = buildSpec(request({ pidFile: "/p", cidFile: "/c" }), anna, rootFacts, extra);
  const plan = planLaunch(spec, options, anna, filter, {
    directories: ["/made", "/made/below"],
    state: { create: [note("create")], started: [note("started")], remove: [note("state")], exitFile: "/exit" },
    cgroup: {
      prepare: [note("prepare")],
      cloneInto: "/cg",
      enter: [note("enter")],
      examine: [note("examine")],
      remove: [note("cgroup")],
    },
    reporter: ["node", "report"],
  });
  assert.deepEqual(
    plan.monitor.map((operation) => ("path" in operation ? operation.path : operation.op)),
    [
      "spawnJanitor",
      "create",
      "/made",
      "/made/below",
      "prepare",
      "clone",
      "runIdMapTools",
      "enter",
      "/c",
      "/p",
      "release",
      "started",
      "supervise",
      "examine",
    ],
  );
  assert.equal(find(plan, "clone")[0]?.cgroup, "/cg");
  assert.equal(find(plan, "supervise")[0]?.exitFile, "/exit");
  assert.deepEqual(plan.cleanup, [
    note("cgroup"),
    note("state"),
    // Of a command that never ran nothing stays; a run that succeeded leaves them.
    { op: "removeHostFile", path: "/c", unlessStarted: 1 },
    { op: "removeHostFile", path: "/p", unlessStarted: 1 },
  ]);
  assert.deepEqual(plan.reporter, ["node", "report"]);
  assert.deepEqual(NO_SURROUNDINGS.reporter, []);
});

test("a limit without a cgroup manager is an error unless the policy says otherwise", () => {
  refuses(() => launch({ resources: { memory: 1 } }), "LIMIT_UNSUPPORTED", /--memory 1/);
  for (const cgroups of ["auto", "disabled"] as const) assert.ok(launch({ resources: { memory: 1 }, cgroups }));
});

test("--stop-timeout is in milliseconds, and absent means never", () => {
  assert.equal(find(launch({ stopTimeout: 1.5 }), "supervise")[0]?.stopTimeoutMs, 1500);
  assert.equal(find(launch(), "supervise")[0]?.stopTimeoutMs, 0);
});

test("every operation of a plan has a description of its own words", () => {
  const plan = launch({ init: true, terminal: true, writes: { kind: "refuse" } }, withFuse);
  const uses = slotUses(plan);
  const monitor = plan.monitor.map((operation) => describeOperation(operation, uses));
  assert.ok(monitor.includes("create the namespaces ipc, mount, network, pid, user, uts"));
  assert.ok(described(plan).includes("load the seccomp filter (1 instructions)"));
  assert.ok(described(plan).includes("set RLIMIT_NOFILE to 1024:524288"));
  const operation: ContainerOperation = {
    op: "attach",
    slot: 400,
    anchor: 1,
    target: "/x",
    create: 0,
    set: 0n,
    clear: 0n,
    propagation: 0n,
    recursive: 0,
  };
  assert.equal(describeOperation(operation, new Map()), 'bind "slot 400" at "/x"');
});

test("fuse-overlayfs is left out where it would outlive the container", () => {
  assert.deepEqual(stageOf(launch({ pidNamespace: "host" }, withFuse)), stageOf(launch({ pidNamespace: "host" })));
});
