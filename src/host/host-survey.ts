/**
 * What `pycri info` tells and `pycri doctor` judges beyond the facts that planning needs: the switches that forbid user
 * namespaces, security modules, devices, helper programs. Each is read as it stands; what cannot be read is null.
 */

import { accessSync, constants, existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { findProgram } from "./find-program.ts";
import { parseStatusField } from "./parse-host-files.ts";
import type { Environment } from "./runtime-directory.ts";

export type DeviceAccess = "usable" | "denied" | "missing";

export interface HostSurvey {
  /** Switches of the kernel by their sysctl names; null where the kernel has none of that name. */
  readonly sysctls: Readonly<Record<SysctlName, number | null>>;
  /** Names of namespaces in /proc/self/ns: user, mnt, pid … */
  readonly namespaces: readonly string[];
  /** Active security modules in the kernel's order; null when securityfs is not mounted. */
  readonly lsms: readonly string[] | null;
  /** Of this process: "unconfined", a profile's name, null without AppArmor. */
  readonly apparmorProfile: string | null;
  /** Null without SELinux. */
  readonly selinuxEnforcing: boolean | null;
  /** Actions of seccomp(2) that the kernel knows; empty without seccomp filters. */
  readonly seccompActions: readonly string[];
  /** Of this process, which set-id programs then gain nothing from. */
  readonly noNewPrivileges: boolean;
  readonly devices: Readonly<Record<DevicePath, DeviceAccess>>;
  /** Where each helper program is, or null. */
  readonly programs: Readonly<Record<ProgramName, string | null>>;
  /** systemd runs this host (sd_booted(3)). */
  readonly systemd: boolean;
  /** The user's services outlive its sessions; null without systemd. */
  readonly lingering: boolean | null;
  readonly runtimeDirectory: {
    /** XDG_RUNTIME_DIR; null when it is not set. */
    readonly value: string | null;
    /** Exists, belongs to the caller, closed to others. */
    readonly usable: boolean;
    /** /run/user/UID, if that would be usable. */
    readonly candidate: string | null;
  };
  /** ID and ID_LIKE of os-release(5). */
  readonly distribution: readonly string[];
  /** The first id above all ranges of /etc/subuid and /etc/subgid that a new range could begin at. */
  readonly freeSubordinateId: number;
}

const SYSCTLS = [
  /** Debian's and older Ubuntu's switch; 0 forbids. */
  "kernel.unprivileged_userns_clone",
  "user.max_user_namespaces",
  /** Ubuntu 23.10 and newer; 1 leaves unprivileged user namespaces without capabilities. */
  "kernel.apparmor_restrict_unprivileged_userns",
  /** 2 forbids executable memory files, which the helper runs from. */
  "vm.memfd_noexec",
] as const;
export type SysctlName = (typeof SYSCTLS)[number];

const DEVICES = ["/dev/net/tun", "/dev/fuse"] as const;
export type DevicePath = (typeof DEVICES)[number];

const PROGRAMS = [
  "newuidmap",
  "newgidmap",
  "fuse-overlayfs",
  "pasta",
  "slirp4netns",
  "zstd",
  "systemctl",
  "loginctl",
] as const;
export type ProgramName = (typeof PROGRAMS)[number];

/** useradd(8) begins here (SUB_UID_MIN of login.defs(5)). */
const FIRST_SUBORDINATE_ID = 100_000;

export function surveyHost(
  environment: Environment,
  caller: { readonly uid: number; readonly userName: string | null },
): HostSurvey {
  const { uid, userName } = caller;
  const path = environment["PATH"] ?? "";
  const systemd = existsSync("/run/systemd/system");
  const runtime = environment["XDG_RUNTIME_DIR"] ?? null;
  const candidate = `/run/user/${uid}`;
  return {
    sysctls: byName(SYSCTLS, (name) => readNumber(`/proc/sys/${name.replaceAll(".", "/")}`)),
    namespaces: listDirectory("/proc/self/ns").filter((name) => !name.endsWith("_for_children")),
    lsms: readText("/sys/kernel/security/lsm")?.trim().split(",") ?? null,
    apparmorProfile: existsSync("/sys/module/apparmor") ? firstLine("/proc/self/attr/current") : null,
    selinuxEnforcing: existsSync("/sys/fs/selinux/enforce") ? readNumber("/sys/fs/selinux/enforce") === 1 : null,
    seccompActions: readText("/proc/sys/kernel/seccomp/actions_avail")?.split(/\s+/).filter(Boolean) ?? [],
    noNewPrivileges: parseStatusField(readText("/proc/self/status") ?? "", "NoNewPrivs") === "1",
    devices: byName(DEVICES, probeDevice),
    programs: byName(PROGRAMS, (name) => findProgram(name, path)),
    systemd,
    lingering: systemd ? existsSync(`/var/lib/systemd/linger/${userName ?? uid}`) : null,
    runtimeDirectory: {
      value: runtime,
      usable: runtime !== null && isPrivateDirectory(runtime, uid),
      candidate: isPrivateDirectory(candidate, uid) ? candidate : null,
    },
    distribution: parseDistribution(readText("/etc/os-release") ?? readText("/usr/lib/os-release") ?? ""),
    freeSubordinateId: findFreeSubordinateId(`${readText("/etc/subuid") ?? ""}\n${readText("/etc/subgid") ?? ""}`),
  };
}

/** ID and the words of ID_LIKE, nearest first. */
export function parseDistribution(text: string): readonly string[] {
  const value = (name: string): string => new RegExp(`^${name}=["']?([^"'\n]*)`, "m").exec(text)?.[1] ?? "";
  return `${value("ID")} ${value("ID_LIKE")}`.split(/\s+/).filter(Boolean);
}

/** @param text of /etc/subuid and /etc/subgid. */
export function findFreeSubordinateId(text: string): number {
  return text.split("\n").reduce((free, line) => {
    const [, start = "", count = ""] = line.trim().split(":");
    return /^\d+$/.test(start) && /^\d+$/.test(count) ? Math.max(free, Number(start) + Number(count)) : free;
  }, FIRST_SUBORDINATE_ID);
}

function byName<Name extends string, Value>(names: readonly Name[], value: (name: Name) => Value): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, Value>;
}

/** Null for a file that is not there or cannot be read, which says as little. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = readText(path);
  return text === null || text.trim() === "" ? null : Number(text);
}

function firstLine(path: string): string | null {
  return readText(path)?.replace(/[\0\n].*/s, "") ?? null;
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function probeDevice(path: string): DeviceAccess {
  if (!existsSync(path)) return "missing";
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return "usable";
  } catch {
    return "denied";
  }
}

function isPrivateDirectory(path: string, uid: number): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status !== undefined && status.isDirectory() && status.uid === uid && (status.mode & 0o022) === 0;
}
