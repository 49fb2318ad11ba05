/**
 * The built-in root filesystem `host`: the host's own files, read-only, with everything private covered. What is listed
 * here gets an empty tmpfs of the container's own; what is not listed can be read as far as the caller may read it.
 */

import { depth, isWithin } from "./container-path.ts";
import type { HostFacts } from "./host-facts.ts";
import type { ResolvedUser } from "./user.ts";

/** An empty tmpfs over a directory of the host root, where that directory exists. */
export interface PrivateDirectory {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Container ids of the owner. */
  readonly uid: number;
  readonly gid: number;
}

/** Places to write, as programs expect them. Sockets of the host's services live below /run. */
const SCRATCH: readonly (readonly [path: string, mode: number])[] = [
  ["/tmp", 0o1777],
  ["/var/tmp", 0o1777],
  ["/run", 0o755],
];

/** Where the host's users keep their data; volumes may be mounted there. */
const USER_DATA: readonly string[] = ["/home", "/root", "/media", "/mnt", "/srv"];

/**
 * Hidden besides: what services keep for users, and secrets that root can read, for containers that root starts with its
 * own id mapped.
 */
export const HOST_ROOT_MASKED_PATHS: readonly string[] = [
  "/var/backups",
  "/var/crash",
  "/var/lib/containerd",
  "/var/lib/containers",
  "/var/lib/docker",
  "/var/mail",
  "/var/spool",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/ssl/private",
];

/**
 * The private directories, parents first. They belong to `owner`, the container's root; the home of the container's user
 * becomes a directory of its own.
 */
export function buildPrivateDirectories(
  facts: HostFacts,
  resolved: ResolvedUser,
  owner: { readonly uid: number; readonly gid: number },
): readonly PrivateDirectory[] {
  const entries = new Map<string, PrivateDirectory>();
  const covers = (path: string): boolean => [...entries.keys()].some((known) => isWithin(path, known));
  for (const [path, mode] of SCRATCH) entries.set(path, { path, mode, ...owner });
  for (const path of USER_DATA) entries.set(path, { path, mode: 0o755, ...owner });
  for (const path of [facts.home, facts.runtimeDirectory]) {
    if (path !== null && path !== "/" && !covers(path)) entries.set(path, { path, mode: 0o755, ...owner });
  }
  const { home, user } = resolved;
  // Only there: passwd also has homes like /usr/sbin, which must stay visible.
  if (covers(home)) entries.set(home, { path: home, mode: 0o700, uid: user.uid, gid: user.gid });
  return [...entries.values()].toSorted((a, b) => depth(a.path) - depth(b.path));
}
