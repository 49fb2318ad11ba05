/**
 * A running container's cgroup, found by its record: read its counters, change its limits, freeze, kill and remove it.
 * Independent of the manager that made it.
 */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { RuntimeError } from "../errors.ts";
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { CgroupRecord } from "../plan/cgroup-plan.ts";
import { applyPolicy } from "./apply-policy.ts";
import { effectiveAllowance, type Allowance } from "./capacity.ts";
import {
  errnoName,
  hostAllowance,
  readCgroupFile,
  readV1Levels,
  readV2Levels,
  writeCgroupFile,
} from "./cgroup-files.ts";
import { parseCpuMax, parseLimit } from "./conversions.ts";
import type { CgroupInterface, CgroupWrite } from "./limit-writes.ts";
import { scopeProperties } from "./scope-properties.ts";
import { parseFlatKeyed, readV1Usage, readV2Usage, type CgroupUsage } from "./usage.ts";
import { v1LimitWrites } from "./v1-limits.ts";
import { v2LimitWrites } from "./v2-limits.ts";
import { openSubtree, readWords } from "./v2-subtree.ts";

/** The directory that holds `file`: its controller's, or the only one. */
function directoryOf(record: CgroupRecord, file: string): string | undefined {
  if (record.version === 2) return record.directory;
  return record.directories[file.slice(0, file.indexOf("."))];
}

function read(record: CgroupRecord, file: string): string | undefined {
  const directory = directoryOf(record, file);
  return directory === undefined ? undefined : readCgroupFile(`${directory}/${file}`);
}

/** The counters as they stand. */
export function readUsage(record: CgroupRecord): CgroupUsage {
  const reader = (file: string): string | undefined => read(record, file);
  return record.version === 2 ? readV2Usage(reader) : readV1Usage(reader);
}

/** What the host and the cgroups above the container's allow. */
export function readLevelsAbove(record: CgroupRecord): readonly Allowance[] {
  if (record.version === 2) {
    const parent = parentDirectory(record.directory);
    return [hostAllowance(), ...readV2Levels(parent, hierarchyRoot(parent, "cgroup.procs"))];
  }
  const parents = Object.entries(record.directories).map(([controller, leaf]) => {
    const directory = parentDirectory(leaf);
    return [controller, { directory, mountPoint: hierarchyRoot(directory, "tasks") }] as const;
  });
  return [hostAllowance(), ...readV1Levels(Object.fromEntries(parents))];
}

function parentDirectory(directory: string): string {
  return directory.slice(0, directory.lastIndexOf("/"));
}

/** The topmost directory on the way up that is a cgroup, as `file` shows. */
function hierarchyRoot(directory: string, file: string): string {
  const parent = parentDirectory(directory);
  return existsSync(`${parent}/${file}`) ? hierarchyRoot(parent, file) : directory;
}

/** Every process of the cgroup and below, as this PID namespace numbers them. */
export function listProcesses(record: CgroupRecord): readonly number[] {
  const [directory] = leaves(record);
  return directory === undefined ? [] : processesBelow(directory);
}

function processesBelow(directory: string): number[] {
  const own = readWords(`${directory}/cgroup.procs`).map(Number);
  return [...own, ...children(directory).flatMap(processesBelow)];
}

function children(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${directory}/${entry.name}`);
  } catch (error) {
    if (errnoName(error) === "ENOENT" || errnoName(error) === "ENODEV") return [];
    throw error;
  }
}

/** The leaf's directories, each once. */
function leaves(record: CgroupRecord): readonly string[] {
  return record.version === 2 ? [record.directory] : [...new Set(Object.values(record.directories))];
}

/** How long freezing and draining may take, in milliseconds, and how often to look. */
const PATIENCE = 10_000;
const INTERVAL = 5;

/** @returns whether `condition` came true in time. */
async function eventually(condition: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + PATIENCE; !condition(); await setTimeout(INTERVAL)) {
    if (Date.now() > deadline) return false;
  }
  return true;
}

/**
 * Stop every process of the container, or let them go on; resolves once the kernel says so. RuntimeError
 * LIMIT_UNSUPPORTED without a freezer, IO when it does not come to rest.
 */
export async function setFrozen(record: CgroupRecord, frozen: boolean): Promise<void> {
  const freezer = record.version === 2 ? record.directory : record.directories["freezer"];
  if (freezer === undefined) {
    throw new RuntimeError("LIMIT_UNSUPPORTED", "Cannot pause the container: it has no freezer cgroup", {
      hint: "the freezer controller was not delegated when it was started",
    });
  }
  const settled = record.version === 2 ? await setV2Frozen(freezer, frozen) : await setV1Frozen(freezer, frozen);
  if (!settled) {
    // Half frozen is neither.
    if (frozen)
      writeCgroupFile(
        `${freezer}/${record.version === 2 ? "cgroup.freeze" : "freezer.state"}`,
        record.version === 2 ? "0" : "THAWED",
      );
    throw new RuntimeError("IO", `Cannot ${frozen ? "pause" : "resume"} the container: "${freezer}" did not settle`);
  }
}

function setV2Frozen(directory: string, frozen: boolean): Promise<boolean> {
  writeCgroupFile(`${directory}/cgroup.freeze`, frozen ? "1" : "0");
  const wanted = frozen ? 1 : 0;
  return eventually(() => parseFlatKeyed(readCgroupFile(`${directory}/cgroup.events`) ?? "").get("frozen") === wanted);
}

function setV1Frozen(directory: string, frozen: boolean): Promise<boolean> {
  const wanted = frozen ? "FROZEN" : "THAWED";
  return eventually(() => {
    // Written again each time: a process that forks while its parent freezes can keep the state at FREEZING.
    writeCgroupFile(`${directory}/freezer.state`, wanted);
    return readCgroupFile(`${directory}/freezer.state`)?.trim() === wanted;
  });
}

export function isFrozen(record: CgroupRecord): boolean {
  if (record.version === 1) return read(record, "freezer.state")?.trim() === "FROZEN";
  return parseFlatKeyed(read(record, "cgroup.events") ?? "").get("frozen") === 1;
}

/** After a SIGKILL: what the freezer of cgroup v1 holds dies only when it thaws; v2 lets it die at once. */
export function letDie(record: CgroupRecord): void {
  if (record.version === 1 && isFrozen(record))
    writeCgroupFile(`${record.directories["freezer"]}/freezer.state`, "THAWED");
}

/** SIGKILL everything in the cgroup and below: cgroup.kill, else frozen, so that no fork outruns the signals. */
export async function killAll(record: CgroupRecord): Promise<void> {
  if (record.version === 2) {
    const file = `${record.directory}/cgroup.kill`;
    if (existsSync(file)) return writeCgroupFile(file, "1");
  }
  const freezes = record.version === 2 || record.directories["freezer"] !== undefined;
  if (freezes) await setFrozen(record, true);
  for (const pid of listProcesses(record)) signal(pid);
  // The signals arrive when the processes thaw.
  if (freezes) await setFrozen(record, false);
  // Without a freezer a process may have forked meanwhile.
  const empty = await eventually(() => {
    const left = listProcesses(record);
    for (const pid of left) signal(pid);
    return left.length === 0;
  });
  if (!empty) throw new RuntimeError("IO", `Cannot kill processes ${listProcesses(record).join(", ")}: they stay`);
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoName(error) !== "ESRCH") throw error;
  }
}

/** Remove the emptied cgroup and those below it. Resolves to false when processes stay in it. */
export async function removeTree(record: CgroupRecord): Promise<boolean> {
  if (record.version === 2 && record.unit !== undefined) {
    const { name, bus: address } = record.unit;
    const { SystemdBus } = await import("./systemd-bus.ts");
    using bus = new SystemdBus(address);
    await bus.discard(name);
    return eventually(() => !existsSync(record.directory));
  }
  return eventually(() => leaves(record).every((directory) => removeDirectory(directory)));
}

/** rmdir(2), deepest first; the files of a cgroup go with it. False while it is busy. */
export function removeDirectory(directory: string): boolean {
  for (const child of children(directory)) if (!removeDirectory(child)) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return true;
    if (errnoName(error) === "EBUSY") return false;
    throw new RuntimeError("IO", `Cannot remove cgroup "${directory}": ${errnoName(error)}`, { cause: error });
  }
}

/** Change limits of the running container. RuntimeError LIMIT_UNSUPPORTED, INVALID_SPEC, IO; then some may be changed. */
export async function updateLimits(record: CgroupRecord, resources: LinuxResources): Promise<void> {
  if (record.version === 1) {
    writeLimits(record, v1Update(record, resources));
    return;
  }
  const writes = v2Update(record, resources);
  const { unit } = record;
  if (unit === undefined) {
    writeLimits(record, writes);
    return;
  }
  const { SystemdBus } = await import("./systemd-bus.ts");
  using bus = new SystemdBus(unit.bus);
  // The scope's bounds lie above the leaf's, so for a moment the smaller of old and new holds, never more than either.
  await bus.setUnitProperties(unit.name, scopeProperties(resources));
  writeLimits(record, writes);
}

function writeLimits(record: CgroupRecord, writes: readonly CgroupWrite[]): void {
  for (const { file, value } of writes) {
    const directory = directoryOf(record, file);
    if (directory !== undefined) writeCgroupFile(`${directory}/${file}`, value);
  }
}

function v1Update(record: CgroupRecord & { readonly version: 1 }, resources: LinuxResources): readonly CgroupWrite[] {
  const cgroup: CgroupInterface = {
    controllers: new Set(Object.keys(record.directories)),
    hasFile: (name) => read(record, name) !== undefined,
  };
  const { writes, unsupported } = v1LimitWrites(resources, cgroup, {
    memory: parseLimit(read(record, "memory.limit_in_bytes") ?? "-1"),
    total: parseLimit(read(record, "memory.memsw.limit_in_bytes") ?? "-1"),
    bandwidth: {
      quota: parseLimit(read(record, "cpu.cfs_quota_us") ?? "-1"),
      period: parseLimit(read(record, "cpu.cfs_period_us") ?? "100000"),
    },
    parentCpus: effectiveAllowance(readLevelsAbove(record).slice(1)).cpus.value,
  });
  applyPolicy("enabled", unsupported, undefined);
  return writes;
}

function v2Update(record: CgroupRecord & { readonly version: 2 }, resources: LinuxResources): readonly CgroupWrite[] {
  const parent = parentDirectory(record.directory);
  const present = {
    memory: parseLimit(read(record, "memory.max") ?? "max"),
    bandwidth: parseCpuMax(read(record, "cpu.max") ?? "max 100000"),
  };
  const offered = new Set(readWords(`${parent}/cgroup.controllers`));
  const needed = v2LimitWrites(resources, { controllers: offered, hasFile: () => true }, present).writes;
  openSubtree(parent, parent, new Set(needed.map(({ controller }) => controller)));
  const cgroup: CgroupInterface = {
    controllers: new Set(readWords(`${record.directory}/cgroup.controllers`)),
    hasFile: (name) => read(record, name) !== undefined,
  };
  const { writes, unsupported } = v2LimitWrites(resources, cgroup, present);
  applyPolicy("enabled", unsupported, undefined);
  return writes;
}
