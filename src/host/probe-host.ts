/**
 * Probes `HostFacts`: reads the kernel's and the system's files once, in about a millisecond, and leaves their meaning to
 * the parsers beside it.
 */

import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { probeLandlockAbi } from "../sys/kernel-features.ts";
import { buildCgroupFacts } from "./cgroup-facts.ts";
import { findPrivilegedTool, findProgram } from "./find-program.ts";
import {
  findPasswdEntry,
  parseCgroupMembership,
  parseFileSystems,
  parseIdMap,
  parseKernelRelease,
  parseMountInfo,
  parseOpenFilesLimit,
  parseStatusField,
  parseSubordinateIds,
} from "./parse-host-files.ts";
import { ensurePrivateDirectory, runtimeDirectoryPath, type Environment } from "./runtime-directory.ts";

/** Probe the host as the caller sees it. Makes the runtime and stage directories. */
export function probeHost(environment: Environment): HostFacts {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const passwd = findPasswdEntry(readText("/etc/passwd"), uid);
  const userName = passwd?.name ?? null;
  const status = readText("/proc/self/status");
  const mounts = parseMountInfo(readText("/proc/self/mountinfo"));
  const path = environment["PATH"] ?? "";

  const runtimeDirectory = runtimeDirectoryPath(environment, uid);
  const stageDirectory = `${runtimeDirectory}/stage`;
  ensurePrivateDirectory(runtimeDirectory, uid);
  ensurePrivateDirectory(stageDirectory, uid);

  return {
    kernel: parseKernelRelease(readText("/proc/sys/kernel/osrelease")),
    architecture: process.arch,
    uid,
    gid,
    userName,
    capabilities: BigInt(`0x${parseStatusField(status, "CapEff") || "0"}`),
    lastCapability: Number(readText("/proc/sys/kernel/cap_last_cap") || "40"),
    uidMap: parseIdMap(readText("/proc/self/uid_map")),
    gidMap: parseIdMap(readText("/proc/self/gid_map")),
    setgroupsDenied: readText("/proc/self/setgroups").trim() === "deny",
    subuid: parseSubordinateIds(readText("/etc/subuid"), userName, uid),
    subgid: parseSubordinateIds(readText("/etc/subgid"), userName, uid),
    newuidmap: findPrivilegedTool("newuidmap", path),
    newgidmap: findPrivilegedTool("newgidmap", path),
    noNewPrivileges: parseStatusField(status, "NoNewPrivs") === "1",
    fuseOverlayfs: canOpenFuse() ? findProgram("fuse-overlayfs", path) : null,
    fileSystems: parseFileSystems(readText("/proc/filesystems")),
    cgroup: buildCgroupFacts(mounts, parseCgroupMembership(readText("/proc/self/cgroup")), (directory) =>
      readText(`${directory}/cgroup.controllers`).split(/\s+/).filter(Boolean),
    ),
    apparmor: { enabled: readText("/sys/module/apparmor/parameters/enabled").startsWith("Y") },
    landlockAbi: probeLandlockAbi(),
    hasTimeNamespaces: existsSync("/proc/self/ns/time"),
    mountPoints: mounts.map(({ mountPoint }) => mountPoint),
    runtimeDirectory,
    stageDirectory,
    home: homeOf(environment, passwd?.home ?? null),
    nofile: readOpenFilesLimit(),
  };
}

/** @returns "" for a file that does not exist or that the caller may not read. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "EACCES", "EPERM", "ENOTDIR"].includes(code)) return "";
    throw new RuntimeError("IO", `Cannot read "${path}": ${code}`, { cause: error });
  }
}

function canOpenFuse(): boolean {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function homeOf(environment: Environment, fromPasswd: string | null): string | null {
  const home = environment["HOME"] || fromPasswd;
  return home !== null && home.startsWith("/") && home !== "/nonexistent" ? home : null;
}

/**
 * RLIMIT_NOFILE as the caller's shell has it: Node has raised its own soft limit to the hard one before any script runs,
 * so the parent process is asked. Never more than this process may have: the parent's limit can be the higher one.
 */
function readOpenFilesLimit(): HostFacts["nofile"] {
  const own = parseOpenFilesLimit(readText("/proc/self/limits"));
  const parent = parseOpenFilesLimit(readText(`/proc/${process.ppid}/limits`));
  if (own === null || parent === null) return own;
  return { soft: Math.min(parent.soft, own.hard), hard: own.hard };
}
