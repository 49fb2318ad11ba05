/**
 * The configuration document of a container, `config.json`: the OCI runtime Spec 1.3 for linux, as types. What the Spec
 * calls OPTIONAL is optional here; numbers keep the Spec's units, which are named where they are not obvious. Fields of
 * other platforms are absent: the Spec obliges a runtime to ignore what it does not know.
 */

import type { LinuxResources } from "./linux-resources.ts";

export const OCI_VERSION = "1.3.0";

export interface Spec {
  readonly ociVersion: string;
  readonly process?: Process;
  readonly root?: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
}

export interface Root {
  /** Absolute, or relative to the bundle. */
  readonly path: string;
  readonly readonly?: boolean;
}

export interface Mount {
  /** Absolute path in the container; runtimes take a relative one as below "/". */
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  /** With the option idmap or ridmap: instead of the container's own mappings. */
  readonly uidMappings?: readonly LinuxIdMapping[];
  readonly gidMappings?: readonly LinuxIdMapping[];
}

export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: User;
  /** Absent only in documents that cannot be started. */
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: LinuxCapabilities;
  readonly rlimits?: readonly PosixRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: { readonly class: IoPriorityClass; readonly priority: number };
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** Ids as the container sees them. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Names with `CAP_`. */
export interface LinuxCapabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** `soft` and `hard` are unsigned 64-bit in the Spec; RLIM_INFINITY (2^64−1) survives as a bigint only. */
export interface PosixRlimit {
  readonly type: string;
  readonly soft: number | bigint;
  readonly hard: number | bigint;
}

export type IoPriorityClass = "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";

/** Times in nanoseconds (sched_setattr(2)). */
export interface Scheduler {
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

export interface Hooks {
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

export interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds, greater than 0. */
  readonly timeout?: number;
}

export interface Linux {
  readonly uidMappings?: readonly LinuxIdMapping[];
  readonly gidMappings?: readonly LinuxIdMapping[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly resources?: LinuxResources;
  readonly cgroupsPath?: string;
  readonly namespaces?: readonly LinuxNamespace[];
  readonly devices?: readonly LinuxDevice[];
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly seccomp?: LinuxSeccomp;
  readonly rootfsPropagation?: "shared" | "slave" | "private" | "unbindable";
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: LinuxIntelRdt;
  readonly memoryPolicy?: {
    readonly mode: string;
    readonly nodes: string;
    readonly flags?: readonly string[];
  };
  readonly personality?: { readonly domain: "LINUX" | "LINUX32"; readonly flags?: readonly string[] };
  /** Keys `monotonic` and `boottime`. */
  readonly timeOffsets?: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>;
}

/** `size` ids from `containerID` on are those from `hostID` on, in the runtime's own user namespace. */
export interface LinuxIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

export interface LinuxNamespace {
  readonly type: NamespaceType;
  /** Join the namespace of this file instead of making one. */
  readonly path?: string;
}

export interface LinuxDevice {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface LinuxIntelRdt {
  readonly closID?: string;
  readonly schemata?: readonly string[];
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableMonitoring?: boolean;
}

/** `linux.seccomp`; actions and operators as the Spec spells them. */
export interface LinuxSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly LinuxSyscall[];
}

export interface LinuxSyscall {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly LinuxSeccompArg[];
}

/** Unsigned 64-bit values; those that a double cannot hold are bigints. */
export interface LinuxSeccompArg {
  readonly index: number;
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: string;
}
