/** Reading and writing single files of the cgroup file systems. */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { bandwidthCpus, parseCpuMax, parseLimit } from "./conversions.ts";
import type { Allowance } from "./capacity.ts";

/** The errno name of a failed system call, "" for anything else. */
export function errnoName(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? "";
}

/**
 * A file's contents, or undefined when it is missing or its cgroup is: removed meanwhile (ENODEV), controller disabled,
 * not ours to read.
 */
export function readCgroupFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENODEV", "EACCES", "EOPNOTSUPP"].includes(errnoName(error))) return undefined;
    throw new RuntimeError("IO", `Cannot read "${path}": ${errnoName(error)}`, { cause: error });
  }
}

/** What the kernel refuses a well-formed value for. */
function hintOfRefusal(path: string): string | undefined {
  if (path.endsWith("/memory.limit_in_bytes")) {
    return "memory must not exceed memory and swap together: raise --memory-swap with it";
  }
  if (path.endsWith("/memory.memsw.limit_in_bytes")) {
    return "memory and swap together must not be less than memory: lower --memory with it";
  }
  return undefined;
}

/** One write(2). RuntimeError IO. */
export function writeCgroupFile(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: "r+" });
  } catch (error) {
    const hint = errnoName(error) === "EINVAL" ? hintOfRefusal(path) : undefined;
    throw new RuntimeError("IO", `Cannot write "${value}" to "${path}": ${errnoName(error)}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
      details: { path, value, errno: errnoName(error) },
    });
  }
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The directories from `directory` up to and including `mountPoint`. */
export function ancestors(directory: string, mountPoint: string): readonly string[] {
  const found: string[] = [];
  for (let current = directory; ; current = current.slice(0, current.lastIndexOf("/"))) {
    found.push(current);
    if (current.length <= mountPoint.length) return found;
  }
}

/** A path below a mount as people know it: `/user.slice/…`. */
export function displayPath(directory: string, mountPoint: string): string {
  return directory.slice(mountPoint.length) || "/";
}

/** The host's own bounds: memory, CPUs this process may use, and task numbers. */
export function hostAllowance(): Allowance {
  const bounds = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map((path) =>
    Number(readCgroupFile(path) ?? Infinity),
  );
  // Loaded here: starts without limits go without it.
  const { availableParallelism, totalmem } = process.getBuiltinModule("node:os");
  return { holder: "the host", memory: totalmem(), cpus: availableParallelism(), pids: Math.min(...bounds) };
}

/** The limits of the v2 cgroup at `directory` and of those above it. */
export function readV2Levels(directory: string, mountPoint: string): readonly Allowance[] {
  return ancestors(directory, mountPoint).map((level) => ({
    holder: displayPath(level, mountPoint),
    memory: parseLimit(readCgroupFile(`${level}/memory.max`) ?? "max"),
    cpus: bandwidthCpus(parseCpuMax(readCgroupFile(`${level}/cpu.max`) ?? "max 100000")),
    pids: parseLimit(readCgroupFile(`${level}/pids.max`) ?? "max"),
  }));
}

/** The limits of the v1 cgroups at `parents` (controller to mount point and directory) and of those above them. */
export function readV1Levels(
  parents: Readonly<Record<string, { readonly mountPoint: string; readonly directory: string }>>,
): readonly Allowance[] {
  const read = (controller: string, one: (level: string) => Partial<Allowance>): readonly Allowance[] => {
    const parent = parents[controller];
    if (parent === undefined) return [];
    return ancestors(parent.directory, parent.mountPoint).map((level) => ({
      holder: displayPath(level, parent.mountPoint),
      memory: Infinity,
      cpus: Infinity,
      pids: Infinity,
      ...one(level),
    }));
  };
  return [
    ...read("memory", (level) => ({ memory: parseLimit(readCgroupFile(`${level}/memory.limit_in_bytes`) ?? "-1") })),
    ...read("cpu", (level) => ({
      cpus: bandwidthCpus({
        quota: parseLimit(readCgroupFile(`${level}/cpu.cfs_quota_us`) ?? "-1"),
        period: parseLimit(readCgroupFile(`${level}/cpu.cfs_period_us`) ?? "100000"),
      }),
    })),
    ...read("pids", (level) => ({ pids: parseLimit(readCgroupFile(`${level}/pids.max`) ?? "max") })),
  ];
}
