/**
 * Runs the native helper on plans written by hand, as the unprivileged caller: below the planner and the command line, so
 * that a failure here is the helper's.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { chmodSync, closeSync, copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { decodeEvents, encodePlan } from "../../src/plan/encode.ts";
import type { LaunchEvent, LaunchPlan } from "../../src/plan/launch-plan.ts";
import { ANCHOR, type ContainerOperation, CREATE, type MonitorOperation } from "../../src/plan/operations.ts";
import { createSealedFile } from "../../src/sys/memory-file.ts";
import { asCaller, caller } from "../support/caller.ts";
import { becomeSubreaper } from "../support/libc.ts";
import { repository } from "../support/repository.ts";
import { makeOwnedFolder } from "./owned-folder.ts";

becomeSubreaper();

/** A folder of the caller's for this test process. */
export const folder: string = makeOwnedFolder();

/** The helper, where the caller can run it. */
export const helper: string = join(folder, "pycri-helper");
copyFileSync(join(repository, "dist/pycri-helper"), helper);

/** Where containers mount their stage. */
const stage = join(folder, "stage");
mkdirSync(stage);

/** A root filesystem of busybox alone. */
export const root: string = join(folder, "root");
for (const path of ["", "bin", "dev", "proc", "sys", "tmp", "etc"]) mkdirSync(join(root, path), { mode: 0o755 });
copyFileSync("/bin/busybox", join(root, "bin/busybox"));
for (const name of spawnSync("/bin/busybox", ["--list"], { encoding: "utf8" }).stdout.trim().split("\n")) {
  if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
}
chmodSync(folder, 0o755);
spawnSync("chown", ["-R", `${caller.uid}:${caller.gid}`, folder]);

export const CLONE = {
  NEWNS: 0x20000n,
  NEWCGROUP: 0x2000000n,
  NEWUTS: 0x4000000n,
  NEWIPC: 0x8000000n,
  NEWUSER: 0x10000000n,
  NEWPID: 0x20000000n,
  NEWNET: 0x40000000n,
} as const;

export const ALL_NAMESPACES: bigint = Object.values(CLONE).reduce((flags, flag) => flags | flag, 0n);

const MS_PRIVATE = 1n << 18n;

export interface ContainerOptions {
  /** argv; `candidates` of execute is its first element. */
  readonly command: readonly string[];
  readonly environment?: readonly string[];
  /** Clone flags. */
  readonly namespaces?: bigint;
  /** In place of the single-id map. */
  readonly maps?: readonly MonitorOperation[];
  /** Between spawnJanitor and clone. */
  readonly before?: readonly MonitorOperation[];
  /** Before release. */
  readonly prepare?: readonly MonitorOperation[];
  readonly supervise?: Partial<Extract<MonitorOperation, { op: "supervise" }>>;
  readonly after?: readonly MonitorOperation[];
  /** Before enterStage. */
  readonly early?: readonly ContainerOperation[];
  /** With the root attached, before pivotRoot. */
  readonly inRoot?: readonly ContainerOperation[];
  /** After pivotRoot, before execute. */
  readonly process?: readonly ContainerOperation[];
  readonly cleanup?: readonly MonitorOperation[];
  readonly reporter?: readonly string[];
}

/** The caller as the container's root. */
export const SINGLE_ID_MAP: readonly MonitorOperation[] = [
  { op: "writeChildProc", name: "setgroups", contents: "deny" },
  { op: "writeChildProc", name: "uid_map", contents: `0 ${caller.uid} 1\n` },
  { op: "writeChildProc", name: "gid_map", contents: `0 ${caller.gid} 1\n` },
];

const MOUNT_ATTR_RDONLY = 1n;

/** A plan for a container with all namespaces, a busybox root on an overlay, proc and /dev/null. */
export function containerPlan(options: ContainerOptions): LaunchPlan {
  return {
    monitor: [
      { op: "spawnJanitor" },
      ...(options.before ?? []),
      { op: "clone", flags: options.namespaces ?? ALL_NAMESPACES, cgroup: "" },
      ...(options.maps ?? SINGLE_ID_MAP),
      ...(options.prepare ?? []),
      { op: "release" },
      { op: "supervise", flags: 0, stopTimeoutMs: 0, exitFile: "", ...options.supervise },
      ...(options.after ?? []),
    ],
    container: [
      { op: "deathSignal", signal: 9 },
      { op: "setDumpable", value: 0 },
      { op: "setPropagation", path: "/", flags: MS_PRIVATE },
      { op: "openTree", slot: 0, path: root, recursive: 0 },
      { op: "openTree", slot: 1, path: "/dev/null", recursive: 0 },
      ...(options.early ?? []),
      { op: "enterStage", path: stage, options: [] },
      { op: "pivotStage" },
      ...["lower", "upper", "work", "root"].map((name): ContainerOperation => ({
        op: "makeDirectory",
        anchor: ANCHOR.stage,
        path: `/${name}`,
        mode: 0o755,
      })),
      {
        op: "attach",
        slot: 0,
        anchor: ANCHOR.stage,
        target: "/lower",
        create: CREATE.nothing,
        set: MOUNT_ATTR_RDONLY,
        clear: 0n,
        propagation: 0n,
        recursive: 0,
      },
      {
        op: "mount",
        slot: 2,
        type: "overlay",
        source: "overlay",
        options: ["lowerdir=/lower", "upperdir=/upper", "workdir=/work", "userxattr"],
        attributes: 0n,
      },
      attachStage(2, "/root"),
      { op: "openRoot", path: "/root" },
      { op: "mount", slot: 3, type: "proc", source: "proc", options: [], attributes: 0n },
      attachRoot(3, "/proc"),
      attachRoot(1, "/dev/null"),
      ...(options.inRoot ?? []),
      { op: "pivotRoot" },
      { op: "newSession" },
      ...(options.process ?? []),
      { op: "changeDirectory", path: "/", createMode: 0 },
      { op: "closeDescriptors", first: 3 },
      {
        op: "execute",
        candidates: options.command.slice(0, 1),
        arguments: options.command,
        environment: options.environment ?? ["PATH=/bin"],
      },
    ],
    cleanup: options.cleanup ?? [],
    reporter: options.reporter ?? [],
  };
}

/** Attach a slot in the stage as it is. */
export function attachStage(slot: number, target: string): ContainerOperation {
  return attachAt(ANCHOR.stage, slot, target);
}

/** Attach a slot in the root as it is, making the target. */
export function attachRoot(slot: number, target: string): ContainerOperation {
  return attachAt(ANCHOR.root, slot, target);
}

function attachAt(anchor: number, slot: number, target: string): ContainerOperation {
  return {
    op: "attach",
    slot,
    anchor,
    target,
    create: CREATE.matching,
    set: 0n,
    clear: 0n,
    propagation: 0n,
    recursive: 0,
  };
}

/** `sh -c script` in the container. */
export function shell(script: string): readonly string[] {
  return ["/bin/sh", "-c", script];
}

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly LaunchEvent[];
}

export interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
}

/** Start the helper on the plan's bytes. `stdio`: of descriptors 0 to 2. */
export function startBytes(plan: Uint8Array, stdio: StdioOptions = ["ignore", "pipe", "pipe"]): Running {
  const planFile = createSealedFile("plan", plan, false);
  const child = spawn(helper, ["3", "4"], {
    ...asCaller,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: [...(stdio as []), planFile, "pipe"],
  });
  closeSync(planFile);
  return { child, outcome: collect(child) };
}

export function start(plan: LaunchPlan, stdio?: StdioOptions): Running {
  return startBytes(encodePlan(plan), stdio);
}

export function run(options: ContainerOptions): Promise<Outcome> {
  return start(containerPlan(options)).outcome;
}

async function collect(child: ChildProcess): Promise<Outcome> {
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal }));
  });
  const chunks: Buffer[] = [];
  child.stdio[4]?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [stdout, stderr, end] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    ended,
  ]);
  const bytes = Buffer.concat(chunks);
  const { events, consumed } = decodeEvents(bytes);
  assert.equal(consumed, bytes.length, "the helper wrote half an event");
  return { ...end, stdout, stderr, events };
}

/** What a command prints in a container that starts and ends well. */
export async function output(options: ContainerOptions): Promise<string> {
  const { status, stdout, stderr, events } = await run(options);
  assert.deepEqual(
    { status, stderr, events: events.map(({ event }) => event) },
    {
      status: 0,
      stderr: "",
      events: ["started", "exited"],
    },
  );
  return stdout;
}
