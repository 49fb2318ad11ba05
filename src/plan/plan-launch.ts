/**
 * From the OCI Spec to the operations that make the container. Everything about one subject is in that subject's file;
 * here stands the order, which is most of the meaning.
 */

import { RuntimeError } from "../errors.ts";
import { MS } from "../oci/mount-options.ts";
import type { Linux, Spec } from "../oci/spec.ts";
import { type CgroupPlan, NO_CGROUP } from "./cgroup-plan.ts";
import { planDevices } from "./devices.ts";
import type { HostFacts } from "./host-facts.ts";
import { planIdMappings, setupIds } from "./id-mappings.ts";
import { planLandlock } from "./landlock.ts";
import { type LaunchOptions, NO_STATE, type StatePlan } from "./launch-options.ts";
import type { LaunchPlan } from "./launch-plan.ts";
import { planMounts, wantsHostPropagation } from "./mounts.ts";
import { hasNamespace, makesNamespace, planNamespaces } from "./namespaces.ts";
import { ANCHOR, type ContainerOperation, type MonitorOperation, SUPERVISE } from "./operations.ts";
import { type SeccompProgram, planProcess } from "./process.ts";
import { canCreateIn, planRoot } from "./root-filesystem.ts";
import { Slots } from "./slots.ts";
import { planSysctls } from "./sysctls.ts";
import { refuseLimits } from "./unapplied-limits.ts";

const SIGKILL = 9;

/** What the engine puts around the container. */
export interface LaunchSurroundings {
  /** Host directories that the request wants and that do not exist, parents first. They stay. */
  readonly directories: readonly string[];
  readonly state: StatePlan;
  /** Null: the container stays in the caller's cgroup, and limits are an error unless `options.cgroups` permits. */
  readonly cgroup: CgroupPlan | null;
  /** `LaunchPlan.reporter`. */
  readonly reporter: readonly string[];
  /** The caller stays beside the monitor, reads its events, and takes the container with it when it is killed. */
  readonly endsWithCaller?: boolean;
}

export const NO_SURROUNDINGS: LaunchSurroundings = {
  directories: [],
  state: NO_STATE,
  cgroup: null,
  reporter: [],
};

/**
 * `spec.root.path` and bind sources are absolute; `filter` is the compiled `spec.linux.seccomp`, null for none.
 */
export function planLaunch(
  spec: Spec,
  options: LaunchOptions,
  facts: HostFacts,
  filter: SeccompProgram | null,
  surroundings: LaunchSurroundings = NO_SURROUNDINGS,
): LaunchPlan {
  const linux = spec.linux ?? {};
  if (surroundings.cgroup === null && options.cgroups === "enabled") refuseLimits(linux.resources ?? {});
  const namespaces = planNamespaces(linux, facts);
  const { container, idmapped } = planContainer(spec, linux, options, facts, filter, namespaces.enter);
  return {
    monitor: planMonitor(linux, options, facts, surroundings, namespaces.cloneFlags, idmapped, spec),
    container,
    cleanup: [
      ...(surroundings.cgroup ?? NO_CGROUP).remove,
      ...surroundings.state.remove,
      ...[options.cidFile, options.pidFile]
        .filter((path) => path !== undefined)
        .map((path) => ({ op: "removeHostFile", path, unlessStarted: 1 }) as const),
    ],
    reporter: surroundings.reporter,
  };
}

function planMonitor(
  linux: Linux,
  options: LaunchOptions,
  facts: HostFacts,
  surroundings: LaunchSurroundings,
  cloneFlags: bigint,
  idmapped: readonly MonitorOperation[],
  spec: Spec,
): readonly MonitorOperation[] {
  const cgroup = surroundings.cgroup ?? NO_CGROUP;
  const { state } = surroundings;
  const oomScoreAdj = spec.process?.oomScoreAdj;
  return [
    ...(surroundings.endsWithCaller === true ? [{ op: "endWithCaller" } satisfies MonitorOperation] : []),
    // Before everything that leaves a trace.
    { op: "spawnJanitor" },
    ...state.create,
    ...surroundings.directories.map(
      // Another pycri may make it meanwhile.
      (path): MonitorOperation => ({ op: "makeHostDirectory", path, mode: 0o755, mayExist: 1 }),
    ),
    ...cgroup.prepare,
    { op: "clone", flags: cloneFlags, cgroup: cgroup.cloneInto },
    // From outside and at once: the container half soon owns its /proc files no longer (`setDumpable`).
    ...(oomScoreAdj === undefined
      ? []
      : [{ op: "writeChildProc", name: "oom_score_adj", contents: String(oomScoreAdj) } satisfies MonitorOperation]),
    ...planIdMappings(linux, facts),
    // After the id maps, which they show the files through.
    ...idmapped,
    // Before `release`: the container half unshares its cgroup namespace where it sits then.
    ...cgroup.enter,
    // Before the command runs, which may count on them; the clean-up list takes them back when it does not.
    ...planIdFiles(options),
    { op: "release" },
    ...state.started,
    {
      op: "supervise",
      flags: superviseFlags(spec, linux, options, surroundings),
      stopTimeoutMs: Math.round((options.stopTimeout ?? 0) * 1000),
      exitFile: state.exitFile,
    },
    ...cgroup.examine,
  ];
}

function planIdFiles(options: LaunchOptions): readonly MonitorOperation[] {
  const operations: MonitorOperation[] = [];
  if (options.cidFile !== undefined) {
    const contents = new TextEncoder().encode(options.id);
    operations.push({ op: "writeHostFile", path: options.cidFile, mode: 0o644, contents, replace: 0 });
  }
  if (options.pidFile !== undefined) operations.push({ op: "writeChildPid", path: options.pidFile, style: 1 });
  return operations;
}

function superviseFlags(
  spec: Spec,
  linux: Linux,
  options: LaunchOptions,
  { endsWithCaller }: LaunchSurroundings,
): number {
  let flags = endsWithCaller === true ? SUPERVISE.neverStops : 0;
  if (options.forwardSignals) {
    flags |= SUPERVISE.forwardSignals;
    // With --init the command is no PID 1, and without a PID namespace of its own neither.
    if (!options.init && hasNamespace(linux, "pid")) flags |= SUPERVISE.defaultActionKills;
  }
  if (spec.process?.terminal === true) {
    flags |= SUPERVISE.terminal;
    if (!options.interactive) flags |= SUPERVISE.terminalOutputOnly;
  }
  return flags;
}

function planContainer(
  spec: Spec,
  linux: Linux,
  options: LaunchOptions,
  facts: HostFacts,
  filter: SeccompProgram | null,
  enterNamespaces: readonly ContainerOperation[],
): { readonly container: readonly ContainerOperation[]; readonly idmapped: readonly MonitorOperation[] } {
  const { process, root } = spec;
  if (process === undefined) throw new RuntimeError("INVALID_SPEC", "The Spec has no process to run");
  if (root === undefined) throw new RuntimeError("INVALID_SPEC", "The Spec has no root");

  const specMounts = spec.mounts ?? [];
  const slots = new Slots();
  const inheritsPropagation = wantsHostPropagation(specMounts, linux);
  const rootPlan = planRoot(root, options.root, {
    facts,
    slots,
    userNamespace: makesNamespace(linux, "user"),
    ownPidNamespace: makesNamespace(linux, "pid"),
    inheritsPropagation,
  });
  const canCreate = canCreateIn(options.root);
  const mounts = planMounts(specMounts, { linux, facts, slots, canCreate });
  const devices = planDevices(specMounts, linux.devices ?? [], process.terminal === true, slots);
  const masks = planMaskedPaths(linux.maskedPaths ?? [], slots);
  const setup = setupIds(linux, facts);

  const container: ContainerOperation[] = [
    // First of all: whatever happens to the monitor from here on, nothing is left behind.
    { op: "deathSignal", signal: SIGKILL },
    // Before `setDumpable`, which takes the process's own /proc files away from it.
    ...enterNamespaces,
    // After the monitor has written the id maps, which it may do for a dumpable process only; from here on no process
    // of a namespace that we join or share can look into this one (CVE-2016-9962).
    { op: "setDumpable", value: 0 },
    // Whatever the caller's umask is, the modes below are meant.
    { op: "setUmask", mask: 0 },
  ];
  if (spec.hostname !== undefined && spec.hostname !== "") container.push({ op: "setHostname", name: spec.hostname });
  if (spec.domainname !== undefined && spec.domainname !== "") {
    container.push({ op: "setDomainname", name: spec.domainname });
  }
  if (makesNamespace(linux, "network")) container.push({ op: "raiseLoopback" });

  container.push(
    // Before the sources are opened: a clone keeps the propagation it was cloned with.
    { op: "setPropagation", path: "/", flags: MS.REC | (inheritsPropagation ? MS.SLAVE : MS.PRIVATE) },
    // With the caller's own ids and view of the host.
    ...rootPlan.sources,
    ...mounts.sources,
    ...devices.sources,
    ...masks.sources,
    {
      op: "enterStage",
      path: facts.stageDirectory,
      options: ["mode=0755", `uid=${setup.uid}`, `gid=${setup.gid}`],
    },
  );
  if (setup.change) {
    // After `enterStage`, whose directory belongs to the caller; before anything is created, so that the container's root
    // owns it. The change of credentials resets dumpable and the death signal (prctl(2)).
    container.push(
      { op: "setUser", uid: setup.uid, gid: setup.gid },
      { op: "setDumpable", value: 0 },
      { op: "deathSignal", signal: SIGKILL },
    );
  }
  container.push(
    ...rootPlan.stage,
    // The host's proc and sysfs stay below the stage's /old until the end: without sight of them the kernel mounts no
    // new ones in a user namespace.
    { op: "pivotStage" },
    { op: "openRoot", path: "root" },
    ...rootPlan.cover,
    ...mounts.attach,
    ...devices.attach,
    ...planDirectories([...options.directories, process.cwd], canCreate),
    // After proc is mounted, before /proc/sys becomes read-only.
    ...planSysctls(linux),
    ...(linux.readonlyPaths ?? []).map((path): ContainerOperation => ({ op: "readOnlyPath", path })),
    ...masks.mask,
    // After everything that creates something.
    ...mounts.seal,
    ...rootPlan.seal,
    { op: "pivotRoot" },
    ...planRootPropagation(linux),
    ...planProcess(process, {
      linux,
      options,
      facts,
      filter,
      landlock: planLandlock(spec, options, facts, filter !== null),
    }),
  );
  return { container, idmapped: mounts.idmapped };
}

function planMaskedPaths(
  paths: readonly string[],
  slots: Slots,
): { readonly sources: readonly ContainerOperation[]; readonly mask: readonly ContainerOperation[] } {
  if (paths.length === 0) return { sources: [], mask: [] };
  const nullSlot = slots.take();
  return {
    sources: [{ op: "openTree", slot: nullSlot, path: "/dev/null", recursive: 0 }],
    mask: paths.map((path): ContainerOperation => ({ op: "maskPath", path, nullSlot })),
  };
}

/** As Docker: a working directory that is missing is made, and so are an image's volumes. */
function planDirectories(
  paths: readonly string[],
  canCreate: (target: string) => boolean,
): readonly ContainerOperation[] {
  return paths.flatMap((path): readonly ContainerOperation[] =>
    path === "/" || !canCreate(path) ? [] : [{ op: "makeDirectory", anchor: ANCHOR.root, path, mode: 0o755 }],
  );
}

/** Private is how everything was made. */
function planRootPropagation(linux: Linux): readonly ContainerOperation[] {
  const flags = { shared: MS.SHARED, slave: MS.SLAVE, private: 0n, unbindable: MS.UNBINDABLE };
  const wanted = flags[linux.rootfsPropagation ?? "private"];
  return wanted === 0n ? [] : [{ op: "setPropagation", path: "/", flags: wanted | MS.REC }];
}
