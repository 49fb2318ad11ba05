/**
 * Scheduling class, I/O priority, CPU affinity and personality of the process, as numbers of the kernel.
 */

import { RuntimeError } from "../errors.ts";
import type { Linux, Process } from "../oci/spec.ts";
import type { ContainerOperation } from "./operations.ts";

const SCHED_POLICY: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

const SCHED_FLAG: Readonly<Record<string, bigint>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01n,
  SCHED_FLAG_RECLAIM: 0x02n,
  SCHED_FLAG_DL_OVERRUN: 0x04n,
  SCHED_FLAG_KEEP_POLICY: 0x08n,
  SCHED_FLAG_KEEP_PARAMS: 0x10n,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20n,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40n,
};

const IOPRIO_CLASS: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

/** The class is in the upper three bits of a 16-bit value (ioprio_set(2)). */
const IOPRIO_CLASS_SHIFT = 13;

const PERSONALITY: Readonly<Record<string, bigint>> = { LINUX: 0n, LINUX32: 0x8n };

function lookup<Value>(table: Readonly<Record<string, Value>>, name: string, field: string): Value {
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (value !== undefined) return value;
  throw new RuntimeError("INVALID_SPEC", `Unknown value "${name}" of ${field}`, {
    hint: `Known are ${Object.keys(table).join(", ")}.`,
  });
}

export function planScheduler(process: Process): readonly ContainerOperation[] {
  const operations: ContainerOperation[] = [];
  const { scheduler } = process;
  if (scheduler !== undefined) {
    operations.push({
      op: "setScheduler",
      policy: lookup(SCHED_POLICY, scheduler.policy, "process.scheduler.policy"),
      flags: (scheduler.flags ?? []).reduce(
        (flags, name) => flags | lookup(SCHED_FLAG, name, "process.scheduler.flags"),
        0n,
      ),
      nice: scheduler.nice ?? 0,
      priority: scheduler.priority ?? 0,
      runtime: BigInt(scheduler.runtime ?? 0),
      deadline: BigInt(scheduler.deadline ?? 0),
      period: BigInt(scheduler.period ?? 0),
    });
  }
  const cpus = process.execCPUAffinity?.final ?? process.execCPUAffinity?.initial;
  if (cpus !== undefined) operations.push({ op: "setAffinity", cpus: parseCpuList(cpus) });
  return operations;
}

export function planIoPriority(process: Process): readonly ContainerOperation[] {
  const { ioPriority } = process;
  if (ioPriority === undefined) return [];
  const { priority } = ioPriority;
  if (!Number.isInteger(priority) || priority < 0 || priority > 7) {
    throw new RuntimeError("INVALID_SPEC", `process.ioPriority.priority is ${priority}, not 0 to 7`);
  }
  const ioClass = lookup(IOPRIO_CLASS, ioPriority.class, "process.ioPriority.class");
  return [{ op: "setIoPriority", value: (ioClass << IOPRIO_CLASS_SHIFT) | priority }];
}

export function planPersonality(linux: Linux): readonly ContainerOperation[] {
  const { personality } = linux;
  if (personality === undefined) return [];
  const flags = personality.flags ?? [];
  if (flags.length > 0) {
    throw new RuntimeError("INVALID_SPEC", `Unsupported linux.personality.flags "${flags.join(", ")}"`);
  }
  return [{ op: "setPersonality", value: lookup(PERSONALITY, personality.domain, "linux.personality.domain") }];
}

/** `0-3,8`, as in cpuset files. */
export function parseCpuList(list: string): readonly number[] {
  const cpus = new Set<number>();
  for (const part of list.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first) {
      throw new RuntimeError("INVALID_SPEC", `Invalid list of CPUs "${list}"`, { hint: "Write it as 0-3,8." });
    }
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].toSorted((a, b) => a - b);
}
