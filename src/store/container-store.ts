/** Reads the records of containers, whose monitors write them (`container-record.ts`), and removes finished ones. */

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, unlinkSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { isLocked } from "../sys/file-locks.ts";
import { type ContainerConfig, containersDirectory, namesDirectory, oomRecordPath } from "./container-record.ts";

/** The command runs, it does not yet, or no more. */
export type ContainerStatus = "created" | "running" | "stopped";

export interface ContainerState {
  readonly config: ContainerConfig;
  readonly status: ContainerStatus;
  /** The container's first process, while it runs. */
  readonly pid: number | null;
  /** How the command ended, when it is known. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** When the command began to run and when it ended, RFC 3339; null when it did not, or nobody was there to see it. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Processes that were killed because memory ran out, as far as the container has ended. */
  readonly oomKills: number;
}

/** Milliseconds within which a launch writes its `config.json`, with much to spare. */
const LAUNCH_TIME = 60_000;

/**
 * Every container, oldest first. Records of nameless containers whose monitor and janitor were both killed are removed
 * on the way.
 */
export function listContainers(stateDirectory: string): ContainerState[] {
  const states: ContainerState[] = [];
  for (const id of namesIn(containersDirectory(stateDirectory))) {
    const state = readState(stateDirectory, id);
    if (state === null) {
      removeAbandoned(`${containersDirectory(stateDirectory)}/${id}`);
      continue;
    }
    if (state.status === "stopped" && !state.config.keep) removeRecord(stateDirectory, state.config);
    else states.push(state);
  }
  // RFC 3339 in UTC sorts as text. The first localeCompare of a process costs ten milliseconds.
  return states.toSorted((a, b) => (a.config.created < b.config.created ? -1 : 1));
}

/**
 * The container with this name, id, or beginning of an id.
 * @throws RuntimeError CONTAINER_NOT_FOUND, also when several ids begin so.
 */
export function findContainer(stateDirectory: string, wanted: string): ContainerState {
  const states = listContainers(stateDirectory);
  const exact = states.find(({ config }) => config.name === wanted || config.id === wanted);
  if (exact !== undefined) return exact;
  const matches = /^[0-9a-f]+$/.test(wanted) ? states.filter(({ config }) => config.id.startsWith(wanted)) : [];
  const [match, ...others] = matches;
  if (match !== undefined && others.length === 0) return match;
  throw new RuntimeError(
    "CONTAINER_NOT_FOUND",
    others.length > 0 ? `Cannot tell which container "${wanted}" is` : `Cannot find the container "${wanted}"`,
    {
      hint: others.length > 0 ? "give more digits of the id" : "'pycri ps --all' lists the containers there are",
      details: { wanted },
    },
  );
}

/** A container as it is now, or null when its record is gone. */
export function readContainer(stateDirectory: string, id: string): ContainerState | null {
  return readState(stateDirectory, id);
}

/** Remove the record of a container that has ended. */
export function removeRecord(stateDirectory: string, config: ContainerConfig): void {
  if (config.name !== null) {
    const link = `${namesDirectory(stateDirectory)}/${config.name}`;
    if (linkTarget(link) === `../containers/${config.id}`) unlinkSync(link);
  }
  rmSync(`${containersDirectory(stateDirectory)}/${config.id}`, { recursive: true, force: true });
}

/**
 * Check that a name is free. What a crashed run has left of it is removed on the way.
 * @throws RuntimeError CONTAINER_EXISTS.
 */
export function requireFreeName(stateDirectory: string, name: string): void {
  const link = `${namesDirectory(stateDirectory)}/${name}`;
  const id = linkTarget(link)?.replace(/^.*\//, "");
  if (id === undefined) return;
  const state = readState(stateDirectory, id);
  if (state !== null && (state.status !== "stopped" || state.config.keep)) {
    throw new RuntimeError("CONTAINER_EXISTS", `Cannot name the container "${name}": container ${id} has that name`, {
      hint: `choose another name, or remove that one: pycri rm ${state.status === "stopped" ? "" : "--force "}${name}`,
      details: { name, id },
    });
  }
  if (state !== null) removeRecord(stateDirectory, state.config);
  else if (!monitorLives(`${containersDirectory(stateDirectory)}/${id}/lock`)) unlinkSync(link);
}

/** A record without a config.json is one that is being made, or whose makers were all killed. */
function removeAbandoned(directory: string): void {
  const changed = timeOf(directory);
  if (changed === null || Date.now() - Date.parse(changed) < LAUNCH_TIME || monitorLives(`${directory}/lock`)) return;
  rmSync(directory, { recursive: true, force: true });
}

function readState(stateDirectory: string, id: string): ContainerState | null {
  const directory = `${containersDirectory(stateDirectory)}/${id}`;
  const text = readText(`${directory}/config.json`);
  if (text === null) return null;
  const config = JSON.parse(text) as ContainerConfig;
  const alive = monitorLives(`${directory}/lock`);
  const pid = Number(/^\d+/.exec(readText(`${directory}/pid`) ?? "")?.[0] ?? 0);
  const exit = /^(exited|signaled) (\d+)/.exec(readText(`${directory}/exit`) ?? "");
  return {
    config,
    status: !alive || exit !== null ? "stopped" : pid > 0 ? "running" : "created",
    pid: alive && exit === null && pid > 0 ? pid : null,
    exitCode: exit?.[1] === "exited" ? Number(exit[2]) : null,
    signal: exit?.[1] === "signaled" ? Number(exit[2]) : null,
    startedAt: timeOf(`${directory}/pid`),
    finishedAt: timeOf(`${directory}/exit`),
    oomKills: Number(readText(oomRecordPath(stateDirectory, id)) ?? 0),
  };
}

/** When a file was last written. */
function timeOf(path: string): string | null {
  return statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? null;
}

function monitorLives(lock: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(lock, "r");
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    return isLocked(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
