/**
 * The user namespace in which image files are handled: its ids are those of the containers, so that what a layer says
 * belongs to id 33 belongs to the container's id 33. The native helper makes it, as it makes containers.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { commandLinePath, distributionDirectory, helperPath } from "../../executor/installation.ts";
import {
  FROM_HOST,
  type WorkerNamespace,
  type WorkerSurroundings,
  type WorkerView,
} from "../../image/worker/run-worker.ts";
import type { Linux, LinuxIdMapping } from "../../oci/spec.ts";
import { MS } from "../../oci/mount-options.ts";
import { encodePlan } from "../../plan/encode.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import { type IdMappings, buildIdMappings, planIdMappings, setupIds, toContainerId } from "../../plan/id-mappings.ts";
import type { LaunchPlan } from "../../plan/launch-plan.ts";
import { type ContainerOperation, SUPERVISE } from "../../plan/operations.ts";
import { planRoot, planTrees } from "../../plan/root-filesystem.ts";
import type { UserNamespaceMode } from "../../plan/run-request.ts";
import { Slots } from "../../plan/slots.ts";
import { createMemoryFile, createSealedFile } from "../../sys/memory-file.ts";

const CLONE_NEWNS = 0x2_0000n;
const CLONE_NEWUSER = 0x1000_0000n;
const CLONE_NEWPID = 0x2000_0000n;
const CLONE_NEWNET = 0x4000_0000n;
const SIGKILL = 9;
/** Where spawn puts plan and events: behind stdio. */
const PLAN_DESCRIPTOR = "3";
const EVENTS_DESCRIPTOR = "4";

type Ids = Pick<IdMappings, "uidMappings" | "gidMappings">;

/** Bytes of V8's young generation: the worker moves large buffers, which lie outside of it. */
const NODE_OPTIONS = ["--max-semi-space-size=1"];

/** The namespace for containers of this `--userns` mode. */
export function makeWorkerNamespace(
  mode: UserNamespaceMode,
  facts: HostFacts,
  zstdProgram: string | null,
): WorkerNamespace {
  return makeMappedNamespace(buildIdMappings(mode, facts, { uid: [], gid: [] }), facts, zstdProgram);
}

/** The program and first argument of the worker, which runs it in whatever namespace it is started. */
export function workerCommand(): readonly string[] {
  return [process.execPath, ...NODE_OPTIONS, `${distributionDirectory()}/image-worker.cjs`];
}

/** The namespace for a container with these id mappings. */
export function makeMappedNamespace(mappings: Ids, facts: HostFacts, zstdProgram: string | null): WorkerNamespace {
  const ids = withCaller(mappings, facts);
  const start = (command: readonly string[], { stdin, stdout, view }: WorkerSurroundings): ChildProcess => {
    const plan = createSealedFile("pycri-plan", encodePlan(planWorker(ids, facts, command, view ?? null)), false);
    // For the reporter of a failed launch.
    const events = createMemoryFile("pycri-events", false);
    try {
      return spawn(helperPath(), [PLAN_DESCRIPTOR, EVENTS_DESCRIPTOR], {
        argv0: "pycri-image-worker",
        env: {},
        stdio: [stdin, stdout, "pipe", plan, events],
      });
    } finally {
      closeSync(plan);
      closeSync(events);
    }
  };
  return {
    idsKey: keyOf(mappings),
    owners: isSingle(mappings) ? "record" : "apply",
    zstdProgram,
    spawn: (args, surroundings) => start([...workerCommand(), ...args], surroundings),
    spawnRemoval: (paths) => start([helperPath(), "remove", ...paths], FROM_HOST),
  };
}

/**
 * The store's directories belong to the caller, and the namespace's root may go where owners are mapped: a caller whom
 * containers do not know (`--userns nomap`) gets an id here that none of their files has.
 */
function withCaller({ uidMappings, gidMappings }: Ids, { uid, gid }: HostFacts): Ids {
  const extend = (mappings: readonly LinuxIdMapping[], own: number): readonly LinuxIdMapping[] => {
    if (toContainerId(mappings, own) !== undefined) return mappings;
    const free = Math.max(0, ...mappings.map(({ containerID, size }) => containerID + size));
    return [...mappings, { containerID: free, hostID: own, size: 1 }];
  };
  return { uidMappings: extend(uidMappings, uid), gidMappings: extend(gidMappings, gid) };
}

/** Names a mapping: layers written with one have the wrong owners under another. */
function keyOf({ uidMappings, gidMappings }: Ids): string {
  const lines = [uidMappings, gidMappings].map((mappings) =>
    mappings.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(","),
  );
  return createHash("sha256").update(lines.join(";")).digest("hex").slice(0, 12);
}

function isSingle({ uidMappings, gidMappings }: Ids): boolean {
  return [uidMappings, gidMappings].some((mappings) => mappings.reduce((sum, { size }) => sum + size, 0) === 1);
}

function planWorker(mappings: Ids, facts: HostFacts, command: readonly string[], view: WorkerView | null): LaunchPlan {
  const linux: Linux = {
    namespaces: [{ type: "user" }],
    uidMappings: mappings.uidMappings,
    gidMappings: mappings.gidMappings,
  };
  const mounts = view === null ? NO_MOUNTS : planView(view, linux, facts);
  return {
    monitor: [
      // The worker reads what strangers have written, and needs no network for it.
      { op: "clone", flags: CLONE_NEWUSER | CLONE_NEWNET | mounts.flags, cgroup: "" },
      ...planIdMappings(linux, facts),
      { op: "release" },
      { op: "supervise", flags: SUPERVISE.forwardSignals, stopTimeoutMs: 0, exitFile: "" },
    ],
    container: [
      { op: "deathSignal", signal: SIGKILL },
      ...mounts.before,
      // As root of the namespace; the change of ids clears the death signal (prctl(2)).
      { op: "setUser", uid: 0, gid: 0 },
      { op: "deathSignal", signal: SIGKILL },
      ...mounts.after,
      { op: "execute", candidates: [command[0] ?? ""], arguments: command, environment: [] },
    ],
    cleanup: [],
    reporter: [process.execPath, commandLinePath(), "report-failure"],
  };
}

interface ViewPlan {
  /** CLONE_NEW* beside the user namespace. */
  readonly flags: bigint;
  /** With the caller's own ids and view of the host. */
  readonly before: readonly ContainerOperation[];
  /** As root of the namespace. */
  readonly after: readonly ContainerOperation[];
}

const NO_MOUNTS: ViewPlan = { flags: 0n, before: [], after: [] };

/** The stage that containers are mounted on, and the worker in it: it confines itself to what is mounted there. */
function planView(view: WorkerView, linux: Linux, facts: HostFacts): ViewPlan {
  const slots = new Slots();
  const { sources, stage } =
    view.kind === "trees"
      ? planTrees(view.trees, slots)
      : planRoot(
          { path: view.path, readonly: false },
          {
            kind: "directory",
            writes: view.layer === null ? { kind: "through" } : { kind: "upper", path: view.layer },
            ...(view.layers === null ? {} : { layers: view.layers }),
          },
          { facts, slots, userNamespace: true, ownPidNamespace: true, inheritsPropagation: false },
        );
  const { uid, gid } = setupIds(linux, facts);
  return {
    // A PID namespace, so that a fuse-overlayfs ends with the worker.
    flags: CLONE_NEWNS | CLONE_NEWPID,
    before: [
      { op: "setUmask", mask: 0 },
      { op: "setPropagation", path: "/", flags: MS.REC | MS.PRIVATE },
      ...sources,
      { op: "enterStage", path: facts.stageDirectory, options: ["mode=0755", `uid=${uid}`, `gid=${gid}`] },
    ],
    after: stage,
  };
}
