/**
 * The host as planners see it: probed once by `host/`, passed as an argument, made up in unit tests. Everything here is
 * what the caller's processes observe; absent helpers are null, never an empty string.
 */

/** One line of /etc/subuid or /etc/subgid that applies to the caller. */
export interface SubordinateRange {
  readonly start: number;
  readonly count: number;
}

/** A line of /proc/self/uid_map: `inside` ids of this process are `outside` ids of its parent namespace. */
export interface IdMapLine {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/** A set-id or capability-bearing helper program found in PATH. */
export interface PrivilegedTool {
  readonly path: string;
  /** It is setuid root, or carries the file capability it needs. Without, it cannot work unless the caller is root. */
  readonly privileged: boolean;
}

export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
  readonly release: string;
}

export interface HostFacts {
  readonly kernel: KernelVersion;
  /** Node's `process.arch`: x64, arm64 … */
  readonly architecture: string;
  /** Effective ids of the caller in its own namespace. */
  readonly uid: number;
  readonly gid: number;
  /** Login name, or null when passwd has none. */
  readonly userName: string | null;
  /** Effective capability mask of the caller. */
  readonly capabilities: bigint;
  /** Highest capability number the kernel knows (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number;
  readonly uidMap: readonly IdMapLine[];
  readonly gidMap: readonly IdMapLine[];
  /** setgroups(2) is denied in the caller's user namespace, and so in every one below it (user_namespaces(7)). */
  readonly setgroupsDenied: boolean;
  readonly subuid: readonly SubordinateRange[];
  readonly subgid: readonly SubordinateRange[];
  readonly newuidmap: PrivilegedTool | null;
  readonly newgidmap: PrivilegedTool | null;
  /** The caller's own no_new_privs: set-id programs give it nothing (prctl(2) PR_SET_NO_NEW_PRIVS). */
  readonly noNewPrivileges: boolean;
  /** Path of fuse-overlayfs when it is installed and /dev/fuse can be opened. */
  readonly fuseOverlayfs: string | null;
  /** File systems of /proc/filesystems that matter: overlay, mqueue, tmpfs, fuse … */
  readonly fileSystems: readonly string[];
  readonly cgroup: {
    readonly layout: "v2" | "v1" | "hybrid" | "none";
    /** v1 controllers with their mount point and the caller's own path in them. */
    readonly v1: readonly { readonly controller: string; readonly mountPoint: string; readonly path: string }[];
    /** v2 mount point and own path, when mounted. */
    readonly v2: { readonly mountPoint: string; readonly path: string; readonly controllers: readonly string[] } | null;
  };
  readonly apparmor: { readonly enabled: boolean };
  /** Landlock ABI, 0 when the kernel has none. */
  readonly landlockAbi: number;
  readonly hasTimeNamespaces: boolean;
  /** The host's own mount points (/proc/self/mountinfo), for the `host` root and read-only fallbacks. */
  readonly mountPoints: readonly string[];
  /** Directory for pycri's runtime state: $XDG_RUNTIME_DIR/pycri, or a private directory below /tmp. Exists, 0700. */
  readonly runtimeDirectory: string;
  /** An empty directory below it that every container mounts its private stage on. Exists. */
  readonly stageDirectory: string;
  /** The caller's home directory, or null. */
  readonly home: string | null;
  /** Soft and hard RLIMIT_NOFILE as the caller's shell has them; Infinity for unlimited. */
  readonly nofile: { readonly soft: number; readonly hard: number } | null;
}

/** Text files of the root filesystem that planning needs, read by `host/` with symlinks resolved inside the root. */
export interface RootFacts {
  /** Contents of /etc/passwd and /etc/group, "" when missing. */
  readonly passwd: string;
  readonly group: string;
}
