/**
 * The managers' decisions as operations of the monitor. Pure: what is known of the host comes as arguments.
 */
import type { CgroupPlan } from "../plan/cgroup-plan.ts";
import type { MonitorOperation } from "../plan/operations.ts";
import { formatBytes } from "./capacity.ts";
import type { CgroupWrite } from "./limit-writes.ts";

/** How long a cgroup may take to drain after its last process was killed, in milliseconds. */
const DRAIN_TIMEOUT = 5_000;

/** The name of a container's own cgroup below its parent; the prefix is what `pycri system prune` looks for. */
export function leafName(containerId: string): string {
  return `${LEAF_PREFIX}${containerId}`;
}

export const LEAF_PREFIX = "pycri-";

/** What to look at and to say when the container ran out of memory. */
export interface OomReport {
  /** The memory limit that holds, in bytes; undefined when none is known. */
  readonly limit: number | undefined;
  /** File that receives the number of kills, or "". */
  readonly recordFile: string;
}

function oomMessage({ limit }: OomReport): string {
  return limit === undefined ? "killed: out of memory" : `killed: out of memory, limit ${formatBytes(limit)}`;
}

/** A leaf of cgroup v2. `bornInside`: the kernel has CLONE_INTO_CGROUP (5.7). */
export function planV2Leaf(options: {
  readonly directory: string;
  readonly writes: readonly CgroupWrite[];
  readonly bornInside: boolean;
  readonly hasMemory: boolean;
  readonly oom: OomReport;
}): CgroupPlan {
  const { directory, oom } = options;
  return {
    prepare: [
      { op: "makeHostDirectory", path: directory, mode: 0o755, mayExist: 0 },
      ...options.writes.map((write) => writeFile(directory, write)),
    ],
    cloneInto: options.bornInside ? directory : "",
    enter: options.bornInside ? [] : [{ op: "writeChildPid", path: `${directory}/cgroup.procs`, style: 0 }],
    examine: options.hasMemory
      ? [
          {
            op: "reportCounter",
            path: `${directory}/memory.events`,
            key: "oom_kill",
            message: oomMessage(oom),
            recordFile: oom.recordFile,
          },
        ]
      : [],
    remove: [
      { op: "killCgroup", path: directory, freezer: "" },
      { op: "removeCgroup", path: directory, timeoutMs: DRAIN_TIMEOUT },
    ],
  };
}

/**
 * One leaf in each v1 hierarchy. `directories`: controller to leaf; controllers mounted together share one directory.
 * `cpuset`: what a new cpuset inherits, since it starts empty and takes no process until it has both.
 */
export function planV1Leaves(options: {
  readonly directories: Readonly<Record<string, string>>;
  readonly writes: readonly CgroupWrite[];
  readonly cpuset: { readonly cpus: string; readonly mems: string } | undefined;
  readonly oom: OomReport;
}): CgroupPlan {
  const { directories, oom } = options;
  const distinct = [...new Set(Object.values(directories))];
  const { cpuset, memory, freezer = "" } = directories;
  const inherited: MonitorOperation[] =
    cpuset === undefined || options.cpuset === undefined
      ? []
      : [
          { op: "writeKernelFile", path: `${cpuset}/cpuset.cpus`, contents: options.cpuset.cpus },
          { op: "writeKernelFile", path: `${cpuset}/cpuset.mems`, contents: options.cpuset.mems },
        ];
  const limits = options.writes.flatMap((write): MonitorOperation[] => {
    const directory = directories[write.controller];
    return directory === undefined ? [] : [writeFile(directory, write)];
  });
  // Any hierarchy lists all processes.
  const [any] = distinct;
  return {
    prepare: [
      ...distinct.map((path): MonitorOperation => ({ op: "makeHostDirectory", path, mode: 0o755, mayExist: 0 })),
      ...inherited,
      ...limits,
    ],
    cloneInto: "",
    enter: distinct.map((path): MonitorOperation => ({ op: "writeChildPid", path: `${path}/cgroup.procs`, style: 0 })),
    examine:
      memory === undefined
        ? []
        : [
            {
              op: "reportCounter",
              path: `${memory}/memory.oom_control`,
              key: "oom_kill",
              message: oomMessage(oom),
              recordFile: oom.recordFile,
            },
          ],
    remove: [
      ...(any === undefined ? [] : [{ op: "killCgroup", path: any, freezer } as const]),
      ...distinct.map((path): MonitorOperation => ({ op: "removeCgroup", path, timeoutMs: DRAIN_TIMEOUT })),
    ],
  };
}

function writeFile(directory: string, { file, value }: CgroupWrite): MonitorOperation {
  return { op: "writeKernelFile", path: `${directory}/${file}`, contents: value };
}
