/**
 * Parsers of the host's small text files: subordinate ids, id maps, mountinfo, cgroup membership, process status, limits,
 * passwd. Pure: text in, data out. Lines that make no sense are skipped, as the programs that own the files do.
 */

import type { IdMapLine, KernelVersion, SubordinateRange } from "../plan/host-facts.ts";

/**
 * The ranges of one user in /etc/subuid or /etc/subgid (subuid(5)): `name:start:count` or `uid:start:count`.
 * @param name login name, null when there is none.
 */
export function parseSubordinateIds(text: string, name: string | null, uid: number): SubordinateRange[] {
  const ranges: SubordinateRange[] = [];
  for (const line of text.split("\n")) {
    const [owner = "", start = "", count = ""] = line.trim().split(":");
    if (owner === "" || (owner !== name && owner !== String(uid))) continue;
    if (!/^\d+$/.test(start) || !/^\d+$/.test(count) || Number(count) === 0) continue;
    ranges.push({ start: Number(start), count: Number(count) });
  }
  return ranges;
}

/** /proc/PID/uid_map and gid_map (user_namespaces(7)). */
export function parseIdMap(text: string): IdMapLine[] {
  const lines: IdMapLine[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (match !== null) lines.push({ inside: Number(match[1]), outside: Number(match[2]), size: Number(match[3]) });
  }
  return lines;
}

/** `6.1.0-18-amd64` → 6, 1. */
export function parseKernelRelease(text: string): KernelVersion {
  const release = text.trim();
  const match = /^(\d+)\.(\d+)/.exec(release);
  return { major: Number(match?.[1] ?? 0), minor: Number(match?.[2] ?? 0), release };
}

/** A field of /proc/PID/status, "" when missing. */
export function parseStatusField(text: string, field: string): string {
  const start = text.indexOf(`\n${field}:`);
  if (start < 0) return "";
  const from = start + field.length + 2;
  const end = text.indexOf("\n", from);
  return text.slice(from, end < 0 ? undefined : end).trim();
}

/** "Max open files" of /proc/PID/limits, null when it is missing; unlimited is Infinity. */
export function parseOpenFilesLimit(text: string): { readonly soft: number; readonly hard: number } | null {
  const match = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(text);
  if (match === null) return null;
  return { soft: parseLimitWord(match[1]), hard: parseLimitWord(match[2]) };
}

function parseLimitWord(word: string | undefined): number {
  return word === "unlimited" ? Infinity : Number(word);
}

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The first line of passwd(5) with this uid. */
export function findPasswdEntry(text: string, uid: number): PasswdEntry | null {
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    if (fields.length < 6 || fields[2] !== String(uid)) continue;
    return { name: fields[0] ?? "", uid, gid: Number(fields[3]), home: fields[5] ?? "" };
  }
  return null;
}

/** What pycri needs of a line of mountinfo (proc_pid_mountinfo(5)). */
export interface MountInfo {
  /** The directory of the file system that is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly type: string;
  /** Options of the file system itself: controllers of a v1 hierarchy. */
  readonly superOptions: readonly string[];
}

/** /proc/PID/mountinfo, in mount order. */
export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split("\n")) {
    const separator = line.indexOf(" - ");
    if (separator < 0) continue;
    const [, , , root = "", mountPoint = ""] = line.slice(0, separator).split(" ");
    const [type = "", , superOptions = ""] = line.slice(separator + 3).split(" ");
    mounts.push({
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      type,
      superOptions: superOptions.split(","),
    });
  }
  return mounts;
}

/** The kernel writes blank, tab, newline and backslash in paths as `\040`. */
function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** A line of /proc/PID/cgroup (cgroups(7)); `controllers` is empty for the unified hierarchy. */
export interface CgroupMembership {
  readonly controllers: readonly string[];
  readonly path: string;
}

export function parseCgroupMembership(text: string): CgroupMembership[] {
  const memberships: CgroupMembership[] = [];
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const controllers = match[1] ?? "";
    memberships.push({ controllers: controllers === "" ? [] : controllers.split(","), path: match[2] ?? "/" });
  }
  return memberships;
}

/** The names of /proc/filesystems. */
export function parseFileSystems(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.slice(line.indexOf("\t") + 1).trim())
    .filter((name) => name !== "");
}
