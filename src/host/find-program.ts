/** Helper programs on the host. */

import { type Stats, statSync } from "node:fs";
import type { PrivilegedTool } from "../plan/host-facts.ts";
import { hasFileCapabilities } from "../sys/kernel-features.ts";

/** Where set-id programs live when PATH is too short for them. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"];
const S_ISUID = 0o4000;

/** The first executable file of this name in PATH and the system's directories, or null. */
export function findProgram(name: string, path: string): string | null {
  for (const directory of new Set([...path.split(":"), ...SYSTEM_DIRECTORIES])) {
    if (!directory.startsWith("/")) continue;
    const file = `${directory}/${name}`;
    const status = statIfReachable(file);
    if (status?.isFile() === true && (status.mode & 0o111) !== 0) return file;
  }
  return null;
}

/** PATH may lead through directories of other users. */
function statIfReachable(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** newuidmap(1) and its kin, and whether they have the privilege they need: the set-uid bit or a file capability. */
export function findPrivilegedTool(name: string, path: string): PrivilegedTool | null {
  const file = findProgram(name, path);
  if (file === null) return null;
  const status = statSync(file);
  const setuid = (status.mode & S_ISUID) !== 0 && status.uid === 0;
  return { path: file, privileged: setuid || hasFileCapabilities(file) };
}
