/**
 * Makes room for a container's leaf below a delegated cgroup v2 directory: a cgroup that hands controllers to its
 * children may hold no process itself ("no internal processes", cgroup-v2.rst), so those in it move to a leaf beside the
 * containers'. Controllers are then enabled from the top down.
 */
import { mkdirSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { ancestors, displayPath, errnoName, isWritable, readCgroupFile, writeCgroupFile } from "./cgroup-files.ts";

/** The leaf that pycri and whatever else ran in the parent move to. It stays while they do. */
export const SUPERVISOR = "pycri-supervisor";

/** The words of a list such as cgroup.controllers. */
export function readWords(path: string): readonly string[] {
  return (readCgroupFile(path) ?? "").split(/\s+/).filter(Boolean);
}

/** Whether children can be made and controllers handed down in `directory`. */
export function isDelegated(directory: string): boolean {
  return [directory, `${directory}/cgroup.procs`, `${directory}/cgroup.subtree_control`].every(isWritable);
}

/** The directory that a caller in `own` builds below: its own cgroup, unless that is a leaf made here earlier. */
export function parentOf(own: string): string {
  return own.endsWith(`/${SUPERVISOR}`) ? own.slice(0, -SUPERVISOR.length - 1) : own;
}

/** The controllers that children of `parent` can have, once the delegated directories above it hand them down. */
export function obtainableControllers(parent: string, mountPoint: string): ReadonlySet<string> {
  return new Set(delegatedChain(parent, mountPoint).flatMap((level) => readWords(`${level}/cgroup.controllers`)));
}

/** `parent` and the directories above it, as far as they are delegated to the caller, topmost first. */
function delegatedChain(parent: string, mountPoint: string): readonly string[] {
  const chain: string[] = [];
  for (const level of ancestors(parent, mountPoint)) {
    if (!isDelegated(level)) break;
    chain.unshift(level);
  }
  return chain;
}

/**
 * Enables `wanted` controllers for the children of `parent`, as far as they can be had.
 *
 * @returns those enabled. RuntimeError HOST_UNSUPPORTED when processes in the way cannot be moved.
 */
export function openSubtree(parent: string, mountPoint: string, wanted: ReadonlySet<string>): ReadonlySet<string> {
  // What lies above belongs to whoever arranged it, and is touched only for a controller that would be missing.
  const offered = new Set(readWords(`${parent}/cgroup.controllers`));
  const chain = [...wanted].every((controller) => offered.has(controller))
    ? [parent]
    : delegatedChain(parent, mountPoint);
  for (const level of chain) {
    const enabled = new Set(readWords(`${level}/cgroup.subtree_control`));
    const missing = readWords(`${level}/cgroup.controllers`).filter(
      (controller) => wanted.has(controller) && !enabled.has(controller),
    );
    if (missing.length === 0) continue;
    // The root cgroup is exempt from the rule, and only it lacks cgroup.type.
    if (level === parent && readCgroupFile(`${level}/cgroup.type`) !== undefined) moveAside(level, mountPoint);
    enable(level, missing);
  }
  return new Set(readWords(`${parent}/cgroup.subtree_control`));
}

function enable(directory: string, controllers: readonly string[]): void {
  const file = `${directory}/cgroup.subtree_control`;
  try {
    writeCgroupFile(file, controllers.map((controller) => `+${controller}`).join(" "));
  } catch {
    // One controller that cannot be had (cpu beside realtime processes, a busy level) must not cost the others. What is
    // missing in the end is reported as a limit that cannot be applied.
    for (const controller of controllers) {
      try {
        writeCgroupFile(file, `+${controller}`);
      } catch {
        continue;
      }
    }
  }
}

/** Passes over the process list: a pass can miss what forks meanwhile. */
const MAX_PASSES = 32;

/** Moves every process of `directory` to its leaf `SUPERVISOR`, this one first. */
function moveAside(directory: string, mountPoint: string): void {
  const supervisor = `${directory}/${SUPERVISOR}`;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const pids = readWords(`${directory}/cgroup.procs`);
    if (pids.length === 0) return;
    makeDirectory(supervisor);
    let moved = 0;
    for (const pid of pids) if (move(pid, supervisor)) moved++;
    if (moved === 0) break;
  }
  const left = readWords(`${directory}/cgroup.procs`);
  if (left.length === 0) return;
  throw new RuntimeError(
    "HOST_UNSUPPORTED",
    `Cannot hand controllers down in cgroup "${displayPath(directory, mountPoint)}": processes ${left.join(", ")} run in it`,
    { hint: "move them to a cgroup below it, or name another cgroup with --cgroup-parent" },
  );
}

/** False when the process may not be moved; true when it was, or is gone. */
function move(pid: string, directory: string): boolean {
  // A process outside this PID namespace shows as 0, which the kernel would take for the writer.
  if (pid === "0") return false;
  try {
    writeCgroupFile(`${directory}/cgroup.procs`, pid);
    return true;
  } catch (error) {
    return errnoName((error as RuntimeError).cause) === "ESRCH";
  }
}

/** mkdir(2); an existing directory is fine. RuntimeError IO. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (error) {
    if (errnoName(error) === "EEXIST") return;
    throw new RuntimeError("IO", `Cannot make cgroup "${path}": ${errnoName(error)}`, { cause: error });
  }
}
