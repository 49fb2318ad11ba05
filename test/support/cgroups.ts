/**
 * A place for containers' cgroups: where pycri finds it, and what is left in it. Root on a host whose controllers are on
 * cgroup v1 hands a new sub-cgroup of each hierarchy to the caller; on a v2 host the caller's own systemd, or the
 * delegated cgroup that the tests were started in, provides it (PYCRI_TEST_CGROUPS=systemd|cgroupfs).
 */
import {
  chownSync,
  type Dirent,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { caller } from "./caller.ts";

const MOUNT = "/sys/fs/cgroup";
const V1_CONTROLLERS = ["memory", "cpu", "cpuacct", "cpuset", "pids", "freezer", "blkio"];

export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly manager: "v1" | "systemd" | "cgroupfs";
  /** Flags of `pycri run` that lead there. */
  readonly flags: readonly string[];
  /** Flags of `pycri system prune` that lead there. */
  readonly pruneFlags: readonly string[];
  /** The environment it takes. */
  readonly env: Readonly<Record<string, string>>;
  /** Cgroups of containers that exist. */
  readonly left: () => readonly string[];
}

/** Why there is no place on this host, or null. */
export function lackOfCgroups(): string | null {
  if (process.env["PYCRI_TEST_CGROUPS"] !== undefined) return null;
  if (process.getuid?.() !== 0) return "only root can delegate cgroups";
  return existsSync(`${MOUNT}/memory/memory.limit_in_bytes`)
    ? null
    : "the controllers are on cgroup v2, which npm run test:vm tests in a guest of its own";
}

/** Only where `lackOfCgroups` is null. */
export function openCgroupPlace(): CgroupPlace {
  const manager = process.env["PYCRI_TEST_CGROUPS"];
  if (manager === undefined) return delegateV1(`pycri-tests-${process.pid}`);
  return {
    version: 2,
    manager: manager === "systemd" ? "systemd" : "cgroupfs",
    flags: [`--cgroup-manager=${manager}`],
    pruneFlags: [],
    env: sessionEnvironment(),
    left: () => containersBelow(MOUNT),
  };
}

/** What a login session tells of its bus; the runtime directory stays the test's own. */
function sessionEnvironment(): Readonly<Record<string, string>> {
  const bus = process.env["DBUS_SESSION_BUS_ADDRESS"];
  return bus === undefined ? {} : { DBUS_SESSION_BUS_ADDRESS: bus };
}

/** Hands `/NAME` of every v1 hierarchy to the caller, until this process ends. */
export function delegateV1(name: string): CgroupPlace {
  const directories = V1_CONTROLLERS.map((controller) => join(MOUNT, controller, name));
  for (const directory of directories) {
    mkdirSync(directory);
    // A new cpuset is empty, and an empty one takes no process.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (existsSync(join(directory, file))) {
        writeFileSync(join(directory, file), readFileSync(join(directory, "..", file)));
      }
    }
    chownSync(directory, caller.uid, caller.gid);
  }
  process.once("exit", () => {
    for (const directory of directories) rmdirSync(directory);
  });
  return {
    version: 1,
    manager: "v1",
    flags: [`--cgroup-parent=/${name}`],
    pruneFlags: [`--cgroup-parent=/${name}`],
    env: {},
    left: () => directories.flatMap(containersBelow),
  };
}

/** Cgroups below a directory that bear a container's name; they may go while this looks. */
function containersBelow(directory: string): readonly string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = join(directory, name);
      return /^pycri-[0-9a-f]{64}(?:\.scope)?$/.test(name) ? [path] : containersBelow(path);
    });
}
