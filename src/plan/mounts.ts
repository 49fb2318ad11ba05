/**
 * Mounts: the list a request asks for (`-v`, `--mount`, `--tmpfs`, `--device`, and what every container has), and the
 * operations that make a Spec's list. Sources on the host are opened as detached clones with the caller's rights before
 * anything changes; targets are resolved inside the root, so that no symlink of the root filesystem leads outside.
 */

import { RuntimeError } from "../errors.ts";
import { capabilityBit } from "../oci/capability-numbers.ts";
import { type MountAttributes, type MountOptions, MOUNT_ATTR, MS, sortMountOptions } from "../oci/mount-options.ts";
import type { Linux, LinuxNamespace, Mount } from "../oci/spec.ts";
import { depth, isWithin, parseMountTarget } from "./container-path.ts";
import type { HostFacts } from "./host-facts.ts";
import { ANCHOR, type ContainerOperation, CREATE, type MonitorOperation } from "./operations.ts";
import type { DeviceRequest, MountRequest, RunRequest } from "./run-request.ts";
import type { Slots } from "./slots.ts";

const GUARDED = ["nosuid", "noexec", "nodev"] as const;

export interface DefaultMountFacts {
  readonly namespaces: readonly LinuxNamespace[];
  /** devpts takes `gid=5` (tty) only when the container knows that id. */
  readonly ttyGroupMapped: boolean;
}

/**
 * `mounts` of a request: the file systems every container has, then the request's own. A mount of the request takes the
 * place of a default one with the same target. Parents come before what is mounted inside them.
 */
export function buildMounts(request: RunRequest, facts: HostFacts, context: DefaultMountFacts): readonly Mount[] {
  const own = [
    ...request.mounts.map((mount) => (mount.kind === "bind" ? buildBind(mount) : buildTmpfs(mount))),
    ...request.devices.map(buildDevice),
  ];
  const targets = new Set<string>();
  for (const { destination } of own) {
    if (targets.has(destination)) {
      throw new RuntimeError("INVALID_ARGUMENT", `Two mounts have the target "${destination}"`);
    }
    targets.add(destination);
  }
  const defaults = buildDefaultMounts(request, facts, context).filter((mount) => !targets.has(mount.destination));
  return [...defaults, ...own].toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

function buildDefaultMounts(request: RunRequest, facts: HostFacts, context: DefaultMountFacts): readonly Mount[] {
  const has = (type: LinuxNamespace["type"]): boolean => context.namespaces.some((entry) => entry.type === type);
  const mounts: Mount[] = [];
  // A fresh proc, sysfs or mqueue shows a namespace, and the kernel lets only the namespace's owner mount one. With the
  // host's namespace the host's own mount must do.
  const { hidepid } = request.security;
  mounts.push(
    has("pid")
      ? {
          destination: "/proc",
          type: "proc",
          source: "proc",
          options: [...GUARDED, ...(hidepid === undefined ? [] : [`hidepid=${hidepid}`])],
        }
      : { destination: "/proc", type: "bind", source: "/proc", options: ["rbind", ...GUARDED] },
  );
  mounts.push({
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  });
  mounts.push(
    has("network")
      ? { destination: "/sys", type: "sysfs", source: "sysfs", options: [...GUARDED, "ro"] }
      : { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", ...GUARDED, "rro"] },
  );
  mounts.push({
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: [
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      ...(context.ttyGroupMapped ? ["gid=5"] : []),
    ],
  });
  if (has("ipc")) {
    mounts.push({
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...GUARDED, "mode=1777", `size=${request.shmSize}`],
    });
    if (facts.fileSystems.includes("mqueue")) {
      mounts.push({ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: [...GUARDED] });
    }
  } else {
    for (const path of ["/dev/shm", "/dev/mqueue"]) {
      if (!facts.mountPoints.includes(path)) continue;
      mounts.push({ destination: path, type: "bind", source: path, options: ["rbind", ...GUARDED] });
    }
  }
  const cgroup = buildCgroupMount(has("cgroup"), has("network"), facts);
  if (cgroup !== null) mounts.push(cgroup);
  return mounts;
}

/**
 * /sys/fs/cgroup, read-only. On cgroup v1 and hybrid hosts it is an empty directory: a container without cgroups of its
 * own would only see the host's.
 */
function buildCgroupMount(ownCgroup: boolean, freshSysfs: boolean, facts: HostFacts): Mount | null {
  const destination = "/sys/fs/cgroup";
  if (facts.cgroup.layout === "none") return null;
  if (!ownCgroup) {
    // A bound /sys has the host's cgroup mounts in it already.
    if (!freshSysfs) return null;
    return { destination, type: "bind", source: destination, options: ["rbind", ...GUARDED, "rro"] };
  }
  return facts.cgroup.layout === "v2"
    ? { destination, type: "cgroup", source: "cgroup", options: [...GUARDED, "ro"] }
    : { destination, type: "tmpfs", source: "tmpfs", options: [...GUARDED, "ro", "mode=755"] };
}

function buildBind(mount: Extract<MountRequest, { kind: "bind" }>): Mount {
  if (mount.source.includes("\0") || !mount.source.startsWith("/")) {
    throw new RuntimeError("INVALID_ARGUMENT", `Invalid bind source "${mount.source}"`);
  }
  return {
    destination: parseMountTarget(mount.target),
    type: "bind",
    source: mount.source,
    options: [
      mount.recursive ? "rbind" : "bind",
      ...(mount.readOnly ? [mount.recursiveReadOnly && mount.recursive ? "rro" : "ro"] : []),
      mount.propagation,
      ...(mount.idmap ? [mount.recursive ? "ridmap" : "idmap"] : []),
      // A volume is for files; whoever wants a device names one below /dev, or asks for it.
      ...(isWithin(mount.source, "/dev") || mount.options.some((option) => /^r?dev$/.test(option))
        ? []
        : [mount.recursive ? "rnodev" : "nodev"]),
      ...mount.options,
    ],
  };
}

function buildTmpfs(mount: Extract<MountRequest, { kind: "tmpfs" }>): Mount {
  // Docker's defaults for --tmpfs, which an explicit exec, suid or dev overrides.
  return {
    destination: parseMountTarget(mount.target),
    type: "tmpfs",
    source: "tmpfs",
    options: [
      ...GUARDED,
      ...(mount.readOnly ? ["ro"] : []),
      `mode=${(mount.mode ?? 0o1777).toString(8)}`,
      ...(mount.size === undefined ? [] : [`size=${mount.size}`]),
      ...mount.options,
    ],
  };
}

/**
 * A user namespace has no mknod(2), so a device is the host's own node, bound. What the caller may not open on the host
 * stays closed in the container, and no cgroup without privilege can narrow the access further.
 */
function buildDevice(device: DeviceRequest): Mount {
  if (!device.access.includes("r") || !device.access.includes("w")) {
    throw new RuntimeError(
      "HOST_UNSUPPORTED",
      `Cannot limit the device "${device.source}" to the access "${device.access}"`,
      { hint: "Leave the access out: the permissions of the host's device file hold in the container, too." },
    );
  }
  return {
    destination: parseMountTarget(device.target),
    type: "bind",
    source: device.source,
    options: ["bind", "nosuid", "noexec", "private"],
  };
}

export interface MountPlan {
  /** In the monitor, after the id maps. */
  readonly idmapped: readonly MonitorOperation[];
  /** Before `enterStage`. */
  readonly sources: readonly ContainerOperation[];
  /** After `openRoot`. */
  readonly attach: readonly ContainerOperation[];
  /** After everything that creates something in a mount. */
  readonly seal: readonly ContainerOperation[];
}

export interface MountContext {
  readonly linux: Linux;
  readonly facts: HostFacts;
  readonly slots: Slots;
  /** True for a target that can be made when it is missing. */
  readonly canCreate: (target: string) => boolean;
}

/** True when a mount wants to see what the host mounts later, or to share what it mounts itself. */
export function wantsHostPropagation(mounts: readonly Mount[], linux: Linux): boolean {
  return (
    linux.rootfsPropagation === "shared" ||
    linux.rootfsPropagation === "slave" ||
    mounts.some((mount) => (sortMountOptions(mount.options ?? []).propagation & (MS.SLAVE | MS.SHARED)) !== 0n)
  );
}

export function planMounts(mounts: readonly Mount[], context: MountContext): MountPlan {
  const plan: MutableMountPlan = { idmapped: [], sources: [], attach: [], seal: [] };
  // Without anyone who wants them, propagation is cut at "/" before the sources are opened.
  const inherited = wantsHostPropagation(mounts, context.linux);
  const made: string[] = [];
  for (const mount of mounts) {
    const target = parseMountTarget(mount.destination);
    const options = sortMountOptions(mount.options ?? []);
    checkProcTarget(mount, target, options);
    const create =
      context.canCreate(target) || made.some((parent) => isWithin(target, parent)) ? CREATE.matching : CREATE.nothing;
    if (isBind(mount, options)) {
      planBind(mount, target, options, create, inherited, context, plan);
    } else {
      planFileSystem(mount, target, options, create, context, plan);
      if (mount.type === "tmpfs") made.push(target);
    }
  }
  return plan;
}

/** Files of procfs that containers may replace: views of the host that lxcfs(1) and others correct. */
const REPLACEABLE_PROC_FILES: ReadonlySet<string> = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/slabinfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
]);

/**
 * /proc must be procfs, through and through: security modules are configured by writing to it, and a fake one would make
 * that a success without effect (CVE-2019-16884).
 */
function checkProcTarget(mount: Mount, target: string, options: MountOptions): void {
  if (!isWithin(target, "/proc") || REPLACEABLE_PROC_FILES.has(target)) return;
  const isProc = isBind(mount, options) ? mount.source === "/proc" : mount.type === "proc";
  if (target === "/proc" && isProc) return;
  throw new RuntimeError(
    "INVALID_ARGUMENT",
    `Cannot mount "${mount.source ?? mount.type}" at "${target}": it is part of /proc`,
    {
      hint: `Of /proc a mount may replace only ${[...REPLACEABLE_PROC_FILES].join(", ")}.`,
    },
  );
}

interface MutableMountPlan extends MountPlan {
  readonly idmapped: MonitorOperation[];
  readonly sources: ContainerOperation[];
  readonly attach: ContainerOperation[];
  readonly seal: ContainerOperation[];
}

function isBind(mount: Mount, options: MountOptions): boolean {
  return options.bind || mount.type === "bind";
}

function planBind(
  mount: Mount,
  target: string,
  options: MountOptions,
  create: number,
  inherited: boolean,
  context: MountContext,
  plan: MutableMountPlan,
): void {
  const source = mount.source ?? "";
  if (!source.startsWith("/")) {
    throw new RuntimeError("INVALID_SPEC", `The bind mount at "${target}" has the source "${source}"`, {
      hint: "A bind source is an absolute path.",
    });
  }
  if (options.data.length > 0) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Unknown option "${options.data[0]}" of the bind mount "${source}" at "${target}"`,
    );
  }
  const slot = context.slots.take();
  const recursive = options.recursiveBind ? 1 : 0;
  if (options.idmap === "none") {
    plan.sources.push({ op: "openTree", slot, path: source, recursive });
  } else {
    requireIdmap(source, target, context);
    plan.idmapped.push({ op: "openTreeIdmapped", slot, path: source, recursive: options.idmap === "tree" ? 1 : 0 });
  }

  // A clone is private already where propagation was cut at "/".
  const wanted = options.propagation === 0n ? MS.PRIVATE | MS.REC : options.propagation;
  const propagation = !inherited && (wanted & MS.PRIVATE) !== 0n ? 0n : wanted;
  const settings = bindSettings(options, propagation);
  const [first, ...others] = settings;
  plan.attach.push({
    op: "attach",
    slot,
    anchor: ANCHOR.root,
    target,
    create,
    ...(first ?? { set: 0n, clear: 0n, propagation: 0n, recursive: 0 }),
  });
  for (const setting of others) {
    plan.attach.push({ op: "setMountAttributes", anchor: ANCHOR.root, path: target, ...setting });
  }
}

interface MountSetting extends MountAttributes {
  readonly propagation: bigint;
  readonly recursive: number;
}

/** As few mount_setattr(2) calls as the options need: what holds for the tree first, then for its top alone. */
function bindSettings(options: MountOptions, propagation: bigint): readonly MountSetting[] {
  // A bind is as writable as its source. Clearing what is not set changes nothing, and clearing what a user namespace
  // has locked fails: so "rw", which engines write out of habit, must not become an attempt.
  const attributes = { set: options.attributes.set, clear: options.attributes.clear & ~MOUNT_ATTR.RDONLY };
  const type = propagation & ~MS.REC;
  const tree: MountSetting = {
    ...options.recursiveAttributes,
    propagation: (propagation & MS.REC) !== 0n ? type : 0n,
    recursive: 1,
  };
  const top: MountSetting = { ...attributes, propagation: (propagation & MS.REC) === 0n ? type : 0n, recursive: 0 };
  return [tree, top].filter((setting) => (setting.set | setting.clear | setting.propagation) !== 0n);
}

function requireIdmap(source: string, target: string, { linux, facts }: MountContext): void {
  const hasUserNamespace = (linux.namespaces ?? []).some((entry) => entry.type === "user");
  if (!hasUserNamespace) {
    throw new RuntimeError("INVALID_SPEC", `The idmapped mount at "${target}" needs a user namespace`);
  }
  const initial = facts.uidMap.some((line) => line.inside === 0 && line.outside === 0 && line.size === 0xffff_ffff);
  if (initial && (facts.capabilities & capabilityBit("CAP_SYS_ADMIN")) !== 0n) return;
  throw new RuntimeError("HOST_UNSUPPORTED", `Cannot idmap the volume "${source}" at "${target}"`, {
    hint: "The kernel idmaps for CAP_SYS_ADMIN in the initial user namespace only. Without root, --userns keep-id shows your files as your own.",
  });
}

function planFileSystem(
  mount: Mount,
  target: string,
  options: MountOptions,
  create: number,
  context: MountContext,
  plan: MutableMountPlan,
): void {
  const type = fileSystemType(mount.type ?? "", target, context.facts);
  const slot = context.slots.take();
  const set = options.attributes.set | options.recursiveAttributes.set;
  // A read-only tmpfs must still take the mount points and device files that go into it.
  const late = type === "tmpfs" && (set & MOUNT_ATTR.RDONLY) !== 0n;
  plan.attach.push(
    {
      op: "mount",
      slot,
      type,
      source: mount.source ?? type,
      options: type === "cgroup2" ? [] : options.data,
      attributes: late ? set & ~MOUNT_ATTR.RDONLY : set,
    },
    {
      op: "attach",
      slot,
      anchor: ANCHOR.root,
      target,
      create,
      set: 0n,
      clear: 0n,
      propagation: options.propagation & ~MS.REC,
      recursive: 0,
    },
  );
  if (late) {
    plan.seal.push({
      op: "setMountAttributes",
      anchor: ANCHOR.root,
      path: target,
      set: MOUNT_ATTR.RDONLY,
      clear: 0n,
      propagation: 0n,
      recursive: 0,
    });
  }
}

function fileSystemType(type: string, target: string, facts: HostFacts): string {
  if (type === "") throw new RuntimeError("INVALID_SPEC", `The mount at "${target}" has no type`);
  // The Spec's "cgroup" is whatever the host has; on v1 hosts see `buildCgroupMount`.
  if (type === "cgroup") return facts.cgroup.layout === "v2" ? "cgroup2" : "tmpfs";
  return type;
}
