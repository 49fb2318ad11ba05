/** Reads the records of containers, whose monitors write them (`container-record.ts`), and removes finished ones. */

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, unlinkSync } from "node:fs";
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
  /** Processes that were killed because memory ran out, as far as the container has ended. */
  readonly oomKills: number;
}

/**
 * Every container, oldest first. Records of nameless containers whose monitor and janitor were both killed are removed
 * on the way.
 */
export function listContainers(stateDirectory: string): ContainerState[] {
  const states: ContainerState[] = [];
  for (const id of namesIn(containersDirectory(stateDirectory))) {
    const state = readState(stateDirectory, id);
    if (state === null) continue;
    if (state.status === "stopped" && !state.config.keep) removeRecord(stateDirectory, state.config);
    else states.push(state);
  }
  return states.toSorted((a, b) => a.config.created.localeCompare(b.config.created));
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

/** Remove the record of a container that has ended. */
export function removeRecord(stateDirectory: string, config: ContainerConfig): void {
  if (config.name !== null) {
    const link = `${namesDirectory(stateDirectory)}/${config.name}`;
    if (linkTarget(link) === `../containers/${config.id}`) unlinkSync(link);
  }
  rmSync(`${containersDirectory(stateDirectory)}/${config.id}`, { recursive: true, force: true });
}

/** The id of the container that holds a name, or null. A link without its container is a leftover and is removed. */
export function nameHolder(stateDirectory: string, name: string): string | null {
  const link = `${namesDirectory(stateDirectory)}/${name}`;
  const id = linkTarget(link)?.replace(/^.*\//, "");
  if (id === undefined) return null;
  if (readText(`${containersDirectory(stateDirectory)}/${id}/lock`) !== null) return id;
  unlinkSync(link);
  return null;
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
    oomKills: Number(readText(oomRecordPath(stateDirectory, id)) ?? 0),
  };
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
