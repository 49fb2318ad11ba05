/**
 * Pycri's private directories: runtime state and cache. Nobody but the caller may be able to write in them or to have
 * prepared them, so an existing directory is checked and never repaired.
 */

import { lstatSync, mkdirSync } from "node:fs";
import { RuntimeError } from "../errors.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the runtime state of a user lives: below XDG_RUNTIME_DIR when that is the user's own, below /run for root, else
 * in /tmp.
 */
export function runtimeDirectoryPath(environment: Environment, uid: number): string {
  const base = environment["XDG_RUNTIME_DIR"];
  if (base !== undefined && base.startsWith("/") && isPrivateTo(base, uid)) return `${base}/pycri`;
  return uid === 0 ? "/run/pycri" : `/tmp/pycri-${uid}`;
}

/** XDG_RUNTIME_DIR survives sudo and su and may then be another user's. */
function isPrivateTo(path: string, uid: number): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status !== undefined && status.isDirectory() && status.uid === uid && (status.mode & 0o022) === 0;
}

/**
 * Make a directory 0700, or check that an existing one is a directory, the caller's, and closed to others.
 * @throws RuntimeError IO, when somebody else could have prepared it.
 */
export function ensurePrivateDirectory(path: string, uid: number): void {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) {
    try {
      mkdirSync(path, { mode: 0o700 });
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      // Another pycri may have been faster; then its directory is checked like any other.
      if (code === "EEXIST") return ensurePrivateDirectory(path, uid);
      throw new RuntimeError("IO", `Cannot make the directory "${path}": ${code}`, {
        hint: "set XDG_RUNTIME_DIR to a directory of your own with mode 0700",
        cause: error,
      });
    }
  }
  const fault = !status.isDirectory()
    ? "it is not a directory"
    : status.uid !== uid
      ? `it belongs to uid ${status.uid}`
      : (status.mode & 0o077) !== 0
        ? `its mode is 0${(status.mode & 0o777).toString(8)}`
        : null;
  if (fault === null) return;
  throw new RuntimeError("IO", `Cannot trust "${path}": ${fault}`, {
    hint: `remove it, or set XDG_RUNTIME_DIR to a directory of your own with mode 0700`,
    details: { path },
  });
}

/** `$XDG_CACHE_HOME/pycri`, or null when the caller has no home to cache in. */
export function cacheDirectoryPath(environment: Environment, home: string | null): string | null {
  const base = environment["XDG_CACHE_HOME"];
  if (base !== undefined && base.startsWith("/")) return `${base}/pycri`;
  return home === null ? null : `${home}/.cache/pycri`;
}
