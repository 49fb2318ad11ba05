/**
 * A container's record in the state directory: its layout, how the monitor makes it, how everybody else reads it.
 *
 * ```
 *   containers/<id>/lock         flock(2) held by the monitor: the container is alive
 *                   config.json  what was asked for; written once the lock is held
 *                   pid          "<pid> <start time>": the command runs
 *                   oom          how often memory ran out, if it did
 *                   exit         "exited <code>" or "signaled <number>": it has ended
 *                   oom          how many processes were killed because memory ran out; only then
 *   names/<name>                 symlink to ../containers/<id>: at most one container has a name
 * ```
 */

import type { LinuxIdMapping } from "../oci/spec.ts";
import type { CgroupRecord } from "../plan/cgroup-plan.ts";
import type { StatePlan } from "../plan/launch-options.ts";
import type { ImageOfContainer } from "../plan/run-request.ts";

/** What `config.json` holds. */
export interface ContainerConfig {
  readonly id: string;
  readonly name: string | null;
  /** RFC 3339. */
  readonly created: string;
  readonly command: readonly string[];
  /** The root filesystem's directory, or "host". */
  readonly rootfs: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Kept after the container's end, until `pycri rm`. */
  readonly keep: boolean;
  /** Its own cgroup, or null when it stays in the caller's. */
  readonly cgroup: CgroupRecord | null;
  /** Null where the root filesystem is the host's. */
  readonly files: ContainerFiles | null;
  /** What the image says about its containers that matters to whoever looks after one; null without an image. */
  readonly image: ImageOfContainer | null;
}

/** What a container's files are made of, for `diff`, `commit`, `export` and `cp`. */
export interface ContainerFiles {
  /** The root filesystem's directory, or the one that an image's layers lie in. */
  readonly path: string;
  /** Directories below `path` that the overlay stacks, top first; null: `path` itself. */
  readonly layers: readonly string[] | null;
  /** Directory whose `upper` has what the container wrote; null: nothing keeps it, or `path` itself does. */
  readonly layer: string | null;
  /** Writes went to `path` itself. */
  readonly through: boolean;
  /** Absolute paths in the container where something else is mounted. */
  readonly mountPoints: readonly string[];
  readonly uidMappings: readonly LinuxIdMapping[];
  readonly gidMappings: readonly LinuxIdMapping[];
}

/** Where the records of a state directory lie. */
export function containersDirectory(stateDirectory: string): string {
  return `${stateDirectory}/containers`;
}

export function namesDirectory(stateDirectory: string): string {
  return `${stateDirectory}/names`;
}

/** Where a container's `ContainerConfig` lies. */
export function containerConfigPath(stateDirectory: string, id: string): string {
  return `${containersDirectory(stateDirectory)}/${id}/config.json`;
}

/** Where the monitor writes how often memory ran out. */
export function oomRecordPath(stateDirectory: string, id: string): string {
  return `${containersDirectory(stateDirectory)}/${id}/oom`;
}

/** What the monitor does about the record of a container. */
export function planRecord(stateDirectory: string, config: ContainerConfig): StatePlan {
  const containers = containersDirectory(stateDirectory);
  const names = namesDirectory(stateDirectory);
  const directory = `${containers}/${config.id}`;
  const link = { path: `${names}/${config.name ?? ""}`, target: `../containers/${config.id}` };
  const named = config.name !== null;
  const keep = config.keep ? 1 : 0;
  return {
    create: [
      { op: "makeHostDirectory", path: containers, mode: 0o700, mayExist: 1 },
      { op: "makeHostDirectory", path: directory, mode: 0o700, mayExist: 0 },
      // Before config.json: whoever sees that file may try the lock, and must not get in the monitor's way.
      { op: "holdLock", path: `${directory}/lock` },
      ...(named
        ? [
            { op: "makeHostDirectory", path: names, mode: 0o700, mayExist: 1 } as const,
            { op: "makeHostSymlink", ...link } as const,
          ]
        : []),
      {
        op: "writeHostFile",
        path: containerConfigPath(stateDirectory, config.id),
        mode: 0o600,
        contents: new TextEncoder().encode(JSON.stringify(config)),
        replace: 0,
      },
    ],
    started: [{ op: "writeChildPid", path: `${directory}/pid`, style: 2 }],
    // The helper leaves alone what the plan was to create and did not: a name that another container holds. A record is
    // kept of what ran, never of a launch that failed.
    remove: [
      ...(named ? [{ op: "removeHostFile", path: link.path, unlessStarted: keep } as const] : []),
      { op: "removeHostTree", path: directory, unlessStarted: keep } as const,
    ],
    exitFile: config.keep ? `${directory}/exit` : "",
  };
}
