/**
 * What a caller of `pycri run` or of the library's `run` asks for, after parsing: the one entry to planning for
 * everything that is not an OCI bundle. Flags and API options become this, and nothing else.
 */

import type { Healthcheck } from "../oci/image-config.ts";
import type { LinuxIdMapping } from "../oci/spec.ts";

/** What a container's record says about its image, for whoever looks after the container. */
export interface ImageOfContainer {
  /** As the caller named it. */
  readonly name: string;
  /** Digest of the configuration. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly manifest: string;
  /** `port/protocol`. */
  readonly exposedPorts: readonly string[];
  /** What asks the container to end, or "" for SIGTERM. */
  readonly stopSignal: string;
  readonly healthcheck: Healthcheck | null;
}

/** Where the root filesystem comes from. */
export type RootSource =
  /** A directory; `path` is absolute. */
  | { readonly kind: "directory"; readonly path: string }
  /**
   * A stored image. `path` is the absolute path of the directory with the layers, `layers` are their directories below it,
   * top first. `copier`: a program that makes one tree of them, where no overlay can be mounted: it takes a JSON argument
   * (`CopyJob` in src/image/worker/jobs.ts).
   */
  | {
      readonly kind: "image";
      readonly image: ImageOfContainer;
      readonly path: string;
      readonly layers: readonly string[];
      readonly copier: readonly string[];
    }
  /** A read-only view of the host's own files. */
  | { readonly kind: "host" };

/** What becomes of writes to the root filesystem. */
export type RootWrites =
  /** An overlay whose upper layer is a tmpfs, gone afterwards. */
  | { readonly kind: "discard" }
  /** An overlay whose upper layer stays in a host directory; `path` is absolute. */
  | { readonly kind: "upper"; readonly path: string }
  /** Straight to the root filesystem itself. */
  | { readonly kind: "through" }
  /** Refused. */
  | { readonly kind: "refuse" };

/** `--userns`, in Podman's words plus `single` and explicit maps. */
export type UserNamespaceMode =
  /** The caller is the container's root, its subordinate ids follow from 1. */
  | { readonly kind: "default" }
  /** The caller keeps its id inside (or gets `uid`, `gid`), subordinate ids fill the rest. */
  | { readonly kind: "keep-id"; readonly uid?: number; readonly gid?: number }
  /** The caller's id is not mapped; subordinate ids start at 0. */
  | { readonly kind: "nomap" }
  /** A range of its own for each container out of the caller's subordinate ids; `size` defaults to 1024. */
  | { readonly kind: "auto"; readonly size?: number }
  /** Only the caller's own id, as the container's root. */
  | { readonly kind: "single" }
  /** `--uidmap`, `--gidmap`: host ids are the caller's own view. */
  | {
      readonly kind: "explicit";
      readonly uidMappings: readonly LinuxIdMapping[];
      readonly gidMappings: readonly LinuxIdMapping[];
    };

/** A namespace the container gets of its own, or shares with the caller. */
export type NamespaceMode = "private" | "host";

/** Mount propagation, in mount(8)'s words. */
export type Propagation =
  | "private"
  | "rprivate"
  | "slave"
  | "rslave"
  | "shared"
  | "rshared"
  | "unbindable"
  | "runbindable";

/** `-v`, `--mount`, `--tmpfs`, after parsing. Targets are absolute paths in the container. */
export type MountRequest =
  | {
      readonly kind: "bind";
      /** Absolute host path. */
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly recursive: boolean;
      /** `ro` also for submounts (`rro`, `bind-recursive=readonly`). Docker's default with `readOnly`. */
      readonly recursiveReadOnly: boolean;
      readonly propagation: Propagation;
      /** Create a missing source directory, as `-v` of Docker does; `--mount` refuses. */
      readonly createSource: boolean;
      /** Show the source's owners as the container's own ids (mount_setattr(2) MOUNT_ATTR_IDMAP). */
      readonly idmap: boolean;
      /** Further flags of mount(8): nosuid, nodev, noexec, noatime, nosymfollow … */
      readonly options: readonly string[];
    }
  | {
      readonly kind: "tmpfs";
      readonly target: string;
      readonly readOnly: boolean;
      /** Bytes, when limited. */
      readonly size?: number;
      /** Octal permission bits, when given. */
      readonly mode?: number;
      readonly options: readonly string[];
    };

/** `--device HOST[:CONTAINER[:rwm]]`. */
export interface DeviceRequest {
  readonly source: string;
  readonly target: string;
  readonly access: string;
}

/** `--ulimit`: values are RLIM_INFINITY when null. */
export interface RlimitRequest {
  /** OCI name, `RLIMIT_NOFILE`. */
  readonly type: string;
  readonly soft: number | null;
  readonly hard: number | null;
}

/** Where the seccomp profile comes from. */
export type SeccompSource =
  | { readonly kind: "builtin"; readonly name: "default" | "baseline" | "strict" | "ci" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "unconfined" };

/** `--security-opt`. */
export interface SecurityRequest {
  readonly seccomp: SeccompSource;
  readonly noNewPrivileges: boolean;
  /** AppArmor profile name, or "unconfined"; absent: the host's default. */
  readonly apparmor?: string;
  /** Landlock rules behind read-only mounts: where the kernel has it, required, or never. */
  readonly landlock: "auto" | "require" | "off";
  /** `proc-opts=hidepid=…`: 0, 1, 2 or 4. */
  readonly hidepid?: 0 | 1 | 2 | 4;
  /** `mask=` and `unmask=` paths; `unmask=ALL` is ["ALL"]. */
  readonly mask: readonly string[];
  readonly unmask: readonly string[];
}

/** Cgroup limits in the units of the OCI Spec's `linux.resources`; absent means unlimited. */
export interface ResourceRequest {
  /**
   * Parts of what the caller's own cgroup and the host allow, above 0 to 100; `resolvePercentages` replaces them by
   * `memory`, `cpuQuota` with `cpuPeriod`, and `pidsLimit` before planning.
   */
  readonly percent?: { readonly memory?: number; readonly cpus?: number; readonly pids?: number };
  /** Bytes; −1 is unlimited. */
  readonly memory?: number;
  /** Bytes, memory plus swap as Docker counts; −1 is unlimited. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  readonly memoryHigh?: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  readonly oomGroup?: boolean;
  /** Microseconds a period. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly cpuBurst?: number;
  readonly cpuShares?: number;
  readonly cpuIdle?: boolean;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** Tasks; −1 is unlimited. */
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly blkioWeightDevice?: readonly { readonly path: string; readonly weight: number }[];
  readonly deviceReadBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly deviceWriteBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly deviceReadIops?: readonly { readonly path: string; readonly rate: number }[];
  readonly deviceWriteIops?: readonly { readonly path: string; readonly rate: number }[];
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  /** Files of cgroup v2 and their contents, written verbatim. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** `--cgroups`. */
export type CgroupPolicy =
  /** A limit that cannot be applied is an error. */
  | "enabled"
  /** Limits that can be applied are; the others are named in one warning. */
  | "auto"
  /** No limit is applied; asking for one is a warning. */
  | "disabled";

export interface RunRequest {
  readonly root: RootSource;
  readonly writes: RootWrites;
  /** Entrypoint and arguments as given; never empty after parsing (`/bin/sh` is the default). */
  readonly command: readonly string[];
  readonly name?: string;
  /** Remove the container's record when it ends. */
  readonly remove: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly cidFile?: string;
  readonly pidFile?: string;

  readonly userNamespace: UserNamespaceMode;
  readonly pidNamespace: NamespaceMode;
  readonly ipcNamespace: NamespaceMode;
  readonly utsNamespace: NamespaceMode;
  readonly cgroupNamespace: NamespaceMode;
  readonly network: "none" | "host";
  /** Seconds (fractions allowed) added to CLOCK_MONOTONIC and CLOCK_BOOTTIME. */
  readonly timeOffset?: { readonly monotonic: number; readonly boottime: number };

  readonly mounts: readonly MountRequest[];
  /** Absolute paths in the container that are made where the root filesystem lacks them: an image's volumes. */
  readonly directories: readonly string[];
  readonly devices: readonly DeviceRequest[];
  /** Bytes; Docker's default is 64 MiB. */
  readonly shmSize: number;

  /** `NAME=value` in order; later ones win. Host values of bare names are already filled in. */
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  readonly additionalGroups: readonly string[];
  readonly hostname?: string;
  readonly rlimits: readonly RlimitRequest[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScoreAdj?: number;
  /** Permission bits, 0 to 0o777. */
  readonly umask?: number;
  /** Run our own PID 1 that forwards signals and reaps. */
  readonly init: boolean;
  /** Pass stdin through (the default); false connects /dev/null. */
  readonly interactive: boolean;
  readonly terminal: boolean;
  /** The caller's terminal size, when it has one. */
  readonly terminalSize?: { readonly rows: number; readonly columns: number };
  readonly forwardSignals: boolean;
  /** Seconds. */
  readonly stopTimeout?: number;

  /** Names without `CAP_`, or `ALL`, in upper case. Dropping is applied before adding when both name ALL (Docker). */
  readonly capabilitiesAdd: readonly string[];
  readonly capabilitiesDrop: readonly string[];
  readonly security: SecurityRequest;

  readonly resources: ResourceRequest;
  readonly cgroups: CgroupPolicy;
  readonly cgroupManager?: "systemd" | "cgroupfs" | "disabled";
  readonly cgroupParent?: string;
}
