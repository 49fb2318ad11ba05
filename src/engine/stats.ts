/** `pycri stats`: what running containers use, and how fast. */
import { listProcesses, readLevelsAbove, readUsage } from "../cgroup/live-cgroup.ts";
import { effectiveAllowance } from "../cgroup/capacity.ts";
import type { CgroupUsage } from "../cgroup/usage.ts";
import { listContainers } from "../store/container-store.ts";
import { findLiveContainer, type LiveContainer } from "./live-container.ts";

/** The counters of one container at one moment. */
export interface ContainerSample {
  readonly id: string;
  readonly name: string | null;
  /** Nanoseconds on a clock that never steps. */
  readonly time: bigint;
  readonly usage: CgroupUsage;
  /** Processes, counted even where no pids controller is. */
  readonly processes: number;
  /** Bytes: the smallest memory limit that holds, or the host's memory. */
  readonly memoryLimit: number;
}

/** With what changed between two samples. */
export interface ContainerStats extends ContainerSample {
  /** Per cent of one CPU; null without a former sample or a CPU counter. */
  readonly cpuPercent: number | null;
  /** Per cent of `memoryLimit`; null without a memory counter. */
  readonly memoryPercent: number | null;
}

/** The ids of named containers. @throws RuntimeError for one that has no cgroup or does not run. */
export function findSampled(stateDirectory: string, names: readonly string[]): readonly string[] {
  return names.map((name) => findLiveContainer(stateDirectory, name, "show").state.config.id);
}

/** The containers with these ids, or all (null), as far as they run and have a cgroup. */
export function sampleContainers(stateDirectory: string, ids: readonly string[] | null): readonly ContainerSample[] {
  const containers = runningContainers(stateDirectory).filter(
    ({ state }) => ids === null || ids.includes(state.config.id),
  );
  return containers.map(({ state: { config }, cgroup }) => {
    const usage = readUsage(cgroup);
    const levels = [...readLevelsAbove(cgroup), { ...UNBOUNDED, memory: usage.memory?.limit ?? Infinity }];
    return {
      id: config.id,
      name: config.name,
      time: process.hrtime.bigint(),
      usage,
      processes: usage.pids?.current ?? listProcesses(cgroup).length,
      memoryLimit: effectiveAllowance(levels).memory.value,
    };
  });
}

const UNBOUNDED = { holder: "the container", memory: Infinity, cpus: Infinity, pids: Infinity };

function runningContainers(stateDirectory: string): readonly LiveContainer[] {
  return listContainers(stateDirectory).flatMap((state) => {
    const { cgroup } = state.config;
    return state.status === "running" && cgroup !== null ? [{ state, cgroup }] : [];
  });
}

/** Pure: pairs samples of the same container; one without a partner has no rate. */
export function computeStats(
  before: readonly ContainerSample[],
  after: readonly ContainerSample[],
): readonly ContainerStats[] {
  const former = new Map(before.map((sample) => [sample.id, sample]));
  return after.map((sample) => {
    const { memory } = sample.usage;
    return {
      ...sample,
      cpuPercent: cpuPercent(former.get(sample.id), sample),
      memoryPercent: memory === null ? null : (memory.usage / sample.memoryLimit) * 100,
    };
  });
}

function cpuPercent(before: ContainerSample | undefined, after: ContainerSample): number | null {
  const used = after.usage.cpu;
  const usedBefore = before?.usage.cpu;
  if (before === undefined || used === null || usedBefore === null || usedBefore === undefined) return null;
  const microseconds = Number(after.time - before.time) / 1000;
  return microseconds > 0 ? ((used.usage - usedBefore.usage) / microseconds) * 100 : null;
}
