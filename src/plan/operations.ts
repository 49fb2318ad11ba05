/**
 * The wire table: every operation the native helper can perform, once. The TypeScript types of a `LaunchPlan`, its
 * encoder and the C header `native/generated/operations.h` all derive from it.
 *
 * The helper is two processes. The **monitor** runs in the caller's namespaces, keeps stdio and the exit status, and
 * outlives the container. The **container** half is the clone that becomes PID 1 inside. Each runs its own list of
 * operations in order and decides nothing: an operation succeeds, or the launch fails with a record of the operation,
 * the errno and the path (see `LaunchEvent` in `launch-plan.ts`).
 *
 * Paths name one of three places. `host`: an absolute path in the caller's view. `stage`: a path in the private
 * tmpfs that `enterStage` mounts, resolved beneath it from then on, before and after `pivotStage`. `root`: a path inside the container's root filesystem,
 * resolved with openat2(2) RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, so no symlink in it leads outside.
 *
 * Mounts travel as descriptors: `openTree` and `mount` with `slot` park a detached mount (open_tree(2), fsmount(2)) in
 * a numbered slot, `attach` moves it to its target. Sources are therefore opened once, with the caller's own rights,
 * before the view of the host changes.
 */

/**
 * Kinds of operation fields. `string` is UTF-8 without NUL, `strings` a list of them; `u32s` a list of numbers; `bytes`
 * is opaque. `flag` (0 or 1), `slot` (below `SLOT_LIMIT`), `anchor` and `create` are small numbers whose range the helper
 * checks before it runs anything. Byte layout: `encode.ts`.
 */
export type FieldType =
  | "u32"
  | "i32"
  | "u64"
  | "i64"
  | "flag"
  | "slot"
  | "anchor"
  | "create"
  | "string"
  | "strings"
  | "u32s"
  | "bytes";

/** What each field type is in TypeScript. */
interface FieldValue {
  readonly u32: number;
  readonly i32: number;
  readonly u64: bigint;
  readonly i64: bigint;
  readonly flag: number;
  readonly slot: number;
  readonly anchor: number;
  readonly create: number;
  readonly string: string;
  readonly strings: readonly string[];
  readonly u32s: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OperationDefinition {
  readonly code: number;
  readonly fields: { readonly [name: string]: FieldType };
}

/** Slots are numbered from 0; a plan may use the same one again, which closes what it held. */
export const SLOT_LIMIT = 512;

/** Where a path is resolved (field `anchor`). */
export const ANCHOR = { stage: 0, root: 1 } as const;

/** What `attach` does when the target is missing (field `create`). */
export const CREATE = {
  /** Fail with ENOENT. */
  nothing: 0,
  /** Make an empty directory or file, whichever the mount's root is; missing parents 0755. */
  matching: 1,
  /** Succeed without effect. */
  skip: 2,
} as const;

/** `supervise.flags`. */
export const SUPERVISE = {
  /** Forward SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH … to PID 1 of the container. */
  forwardSignals: 1,
  /**
   * A forwarded signal whose disposition in PID 1 is the default kills the container, as it would kill any other
   * process; the kernel ignores it for PID 1 (pid_namespaces(7)).
   */
  defaultActionKills: 2,
  /** Copy between the caller's terminal (descriptors 0 and 1) and the container's; raw mode while it runs. */
  terminal: 4,
  /** Copy the container's terminal only outwards: no stdin was asked for. */
  terminalOutputOnly: 8,
  /**
   * On SIGTSTP stop the container alone. A shell wants its job to stop, and continues it after it has seen that; a program
   * that waits for no such thing may send SIGCONT before the monitor has stopped itself, which then stays so.
   */
  neverStops: 16,
} as const;

/** Operations of the monitor half, before and after the clone, and of clean-up. */
export const MONITOR_OPERATIONS = {
  /**
   * Clone the container half with clone3(2). `flags`: CLONE_NEW*. `cgroup`: a cgroup v2 directory to be born in
   * (CLONE_INTO_CGROUP), or "". The child waits for `release`, and dies with the monitor.
   */
  clone: { code: 1, fields: { flags: "u64", cgroup: "string" } },
  /**
   * Fork the janitor: a process in a session of its own that holds the container's pidfd (sent to it by `clone` when it
   * was forked earlier) and waits for the monitor's death. If the monitor is killed it kills the container, restores the
   * terminal and runs the clean-up list. Before anything that leaves a trace, and so before `clone` when the container is
   * born in a cgroup made for it.
   */
  spawnJanitor: { code: 2, fields: {} },
  /** Write `contents` to /proc/<container>/`name` in one write(2): uid_map, gid_map, setgroups, oom_score_adj. */
  writeChildProc: { code: 3, fields: { name: "string", contents: "string" } },
  /**
   * Run newuidmap(1) and newgidmap(1) side by side and await both: `tool <pid> ranges…`. An empty tool is skipped.
   * A non-zero exit fails with errno EPERM and the tool's stderr as detail.
   */
  runIdMapTools: {
    code: 4,
    fields: { uidTool: "string", uidRanges: "strings", gidTool: "string", gidRanges: "strings" },
  },
  /**
   * Park in `slot` a clone of the host's mount at `path`, idmapped by the container's user namespace
   * (mount_setattr(2) MOUNT_ATTR_IDMAP), and pass it to the container half with `release`. Needs privilege over the
   * file system's own user namespace. After `writeChildProc` or `runIdMapTools`. `recursive`: 0 or 1.
   */
  openTreeIdmapped: { code: 5, fields: { slot: "slot", path: "string", recursive: "flag" } },
  /** mkdir(2) one directory on the host. An existing one is an error unless `mayExist` is 1. */
  makeHostDirectory: { code: 6, fields: { path: "string", mode: "u32", mayExist: "flag" } },
  /**
   * Write a file on the host: O_CREAT|O_EXCL|O_NOFOLLOW with `replace` 0; with 1 through a temporary sibling and
   * rename(2).
   */
  writeHostFile: { code: 7, fields: { path: "string", mode: "u32", contents: "bytes", replace: "flag" } },
  /** symlink(2) on the host; EEXIST fails. */
  makeHostSymlink: { code: 8, fields: { path: "string", target: "string" } },
  /** Write to an existing kernel file (cgroupfs, /proc/sys): O_WRONLY, one write(2). */
  writeKernelFile: { code: 9, fields: { path: "string", contents: "string" } },
  /**
   * Write the container's PID in the monitor's PID namespace, in decimal. `style` 0: to an existing kernel file, as a
   * cgroup's cgroup.procs wants it; 1: to a new file, replaced atomically; 2: as 1, followed by a blank and field 22
   * of /proc/<pid>/stat (start time in clock ticks) and a newline.
   */
  writeChildPid: { code: 10, fields: { path: "string", style: "u32" } },
  /** Take flock(2) LOCK_EX|LOCK_NB on `path` (created 0600) and hold it until the monitor ends. */
  holdLock: { code: 11, fields: { path: "string" } },
  /**
   * Let the container half run its list and wait until it has replaced itself with the command (success), or has
   * failed. Services `requestProgram` meanwhile. Sends parked slots along.
   */
  release: { code: 12, fields: {} },
  /**
   * Wait for the container to end. `stopSignal`, `stopTimeoutMs`: after the monitor has forwarded SIGTERM, how long
   * until SIGKILL (0: never). Writes the wait status as `exited <code>` or `signaled <number>` and a newline to
   * `exitFile` ("" for none), then continues with the clean-up list. `flags`: `SUPERVISE`.
   */
  supervise: { code: 13, fields: { flags: "u32", stopTimeoutMs: "u32", exitFile: "string" } },
  /** Remove one file or symlink; missing is fine. `unlessStarted` 1: only when the command never ran. */
  removeHostFile: { code: 14, fields: { path: "string", unlessStarted: "flag" } },
  /**
   * Remove a directory tree of ordinary files on the host without following symlinks or crossing mounts; missing is
   * fine. `unlessStarted` as `removeHostFile`.
   */
  removeHostTree: { code: 15, fields: { path: "string", unlessStarted: "flag" } },
  /**
   * Remove a cgroup and those below it, deepest first: rmdir(2), repeated while one is still draining (EBUSY), up to
   * `timeoutMs` in all; missing is fine.
   */
  removeCgroup: { code: 16, fields: { path: "string", timeoutMs: "u32" } },
  /**
   * SIGKILL every process in the cgroup at `path` and below: write 1 to cgroup.kill. Where that file is missing (v1, or
   * v2 before Linux 5.14), signal the processes of each cgroup.procs until none is new, with the v1 cgroup `freezer`
   * ("" for none) FROZEN meanwhile and THAWED afterwards, so that no fork outruns the signals. A missing path is fine.
   */
  killCgroup: { code: 17, fields: { path: "string", freezer: "string" } },
  /**
   * Read the kernel file of `<key> <number>` lines at `path` (memory.events, memory.oom_control). When the number of
   * `key` is not 0, write it to `recordFile` (as `writeHostFile` with `replace` 1; "" for none), report a `counter` event and write
   * `pycri: <message>` and a newline to stderr. A missing file or key is fine. After `supervise`.
   */
  reportCounter: { code: 18, fields: { path: "string", key: "string", message: "string", recordFile: "string" } },
  /**
   * The thread that started the monitor takes it with it: prctl(PR_SET_PDEATHSIG) SIGKILL, and the janitor ends the
   * container. Fails with ESRCH when the reader of the events is gone already. Before everything else.
   */
  endWithCaller: { code: 32, fields: {} },
} as const;

/** Operations of the container half, in the order its phases usually come. */
export const CONTAINER_OPERATIONS = {
  // Control.
  /**
   * Run the next `first` operations; when one of them fails, undo nothing, report a `fallback` event and run the
   * `otherwise` operations after them; when all succeed, skip those. Either part may hold further attempts, four deep
   * at most; a part's length counts theirs.
   */
  attempt: { code: 64, fields: { first: "u32", otherwise: "u32" } },
  /** Write `pycri: warning: <message>` and a newline to stderr. */
  warn: { code: 65, fields: { message: "string" } },
  /** prctl(PR_SET_PDEATHSIG), then fail with ESRCH when the monitor is gone already. Cleared by credential changes. */
  deathSignal: { code: 66, fields: { signal: "u32" } },
  /** prctl(PR_SET_DUMPABLE). After the id maps are written, and again after each credential change. */
  setDumpable: { code: 67, fields: { value: "u32" } },
  /**
   * Ask the monitor to run a host program joined to the container's user and mount namespaces (fuse-overlayfs, cp), with
   * the user and group that the container half has at this point and the stage as its working directory. Waits for its
   * exit; non-zero fails with EIO and its stderr as detail. `arguments` begins with the program's name. After `enterStage`, before `pivotStage`.
   */
  requestProgram: { code: 68, fields: { path: "string", arguments: "strings" } },

  // Namespaces.
  /** unshare(2): CLONE_NEWCGROUP once the process sits in its cgroup, CLONE_NEWTIME before `setTimeOffset`. */
  unshare: { code: 69, fields: { flags: "u64" } },
  /** Open a namespace file and setns(2) with its type. */
  joinNamespace: { code: 70, fields: { path: "string", type: "u64" } },
  /** One line of /proc/self/timens_offsets; `clock` is a CLOCK_* number. After unshare(CLONE_NEWTIME). */
  setTimeOffset: { code: 71, fields: { clock: "u32", seconds: "i64", nanoseconds: "u32" } },
  /** Enter the time namespace prepared for children: setns(2) on /proc/self/ns/time_for_children. */
  enterTimeNamespace: { code: 72, fields: {} },
  setHostname: { code: 73, fields: { name: "string" } },
  setDomainname: { code: 74, fields: { name: "string" } },
  /** Set IFF_UP on `lo`. */
  raiseLoopback: { code: 75, fields: {} },
  /**
   * Write `value` to proc/sys/<key with slashes> of the root, after checking that the file is on procfs. After proc is
   * mounted there, before `readOnlyPath` covers it.
   */
  setSysctl: { code: 76, fields: { key: "string", value: "string" } },

  // Mounts.
  /** mount(2) MS_REC with a propagation flag (MS_PRIVATE, MS_SLAVE …) on a path of the current root. */
  setPropagation: { code: 77, fields: { path: "string", flags: "u64" } },
  /**
   * Park in `slot` a detached clone (open_tree(2) OPEN_TREE_CLONE) of the host's mount at `path`. `recursive`: 0 or 1.
   * Before `enterStage`.
   */
  openTree: { code: 78, fields: { slot: "slot", path: "string", recursive: "flag" } },
  /**
   * Mount a tmpfs on the host directory `path` (0755, `options` for the tmpfs) and chdir to it. Creates nothing in it: the
   * caller's own ids may be unmapped (EOVERFLOW) until `setUser`. The host's view is still in place, so that
   * `requestProgram` works.
   */
  enterStage: { code: 79, fields: { path: "string", options: "strings" } },
  /** pivot_root(2) into the stage, making its directory `old` for the host's root, and chdir("/"). */
  pivotStage: { code: 80, fields: {} },
  /** mkdir -p. With `anchor` root, missing parents are made 0755 inside the root. An existing directory is fine. */
  makeDirectory: { code: 81, fields: { anchor: "anchor", path: "string", mode: "u32" } },
  /** The same with owner and mode of the directory `like`, at the same anchor. An existing directory keeps its own. */
  makeDirectoryLike: { code: 119, fields: { anchor: "anchor", path: "string", like: "string" } },
  /** An empty file unless one exists; parents as `makeDirectory`. */
  makeFile: { code: 82, fields: { anchor: "anchor", path: "string", mode: "u32" } },
  /** symlink(2); an existing entry is left alone. */
  makeSymlink: { code: 83, fields: { anchor: "anchor", path: "string", target: "string" } },
  /**
   * Mount a new instance of `type` into `slot`: fsopen(2), one fsconfig(2) per option ("key=value" or "key"),
   * fsmount(2). `source`: the "source" parameter or "". `attributes`: MOUNT_ATTR_*. Relative paths in options count from
   * the stage. The kernel's own message goes into the failure detail.
   */
  mount: {
    code: 84,
    fields: { slot: "slot", type: "string", source: "string", options: "strings", attributes: "u64" },
  },
  /**
   * Set attributes on the mount in `slot` (mount_setattr(2): `set` and `clear` MOUNT_ATTR_*, `propagation` MS_* or 0,
   * recursively with `recursive` 1), then move it onto `target`. `create`: `CREATE`. A target found must be a directory
   * exactly when the mount's root is one (ENOTDIR).
   */
  attach: {
    code: 85,
    fields: {
      slot: "slot",
      anchor: "anchor",
      target: "string",
      create: "create",
      set: "u64",
      clear: "u64",
      propagation: "u64",
      recursive: "flag",
    },
  },
  /** mount_setattr(2) on the mount at a path. */
  setMountAttributes: {
    code: 86,
    fields: {
      anchor: "anchor",
      path: "string",
      set: "u64",
      clear: "u64",
      propagation: "u64",
      recursive: "flag",
    },
  },
  /** Make the stage directory or mount at `path` the root that `root` paths are resolved in. */
  openRoot: { code: 87, fields: { path: "string" } },
  /**
   * Hide a path of the root: an empty read-only tmpfs over a directory, /dev/null over anything else. A missing path is
   * fine. `nullSlot`: a slot that holds the host's /dev/null (cloned anew for each use).
   */
  maskPath: { code: 88, fields: { path: "string", nullSlot: "slot" } },
  /** Bind a path of the root onto itself, recursively read-only. A missing path is fine. */
  readOnlyPath: { code: 89, fields: { path: "string" } },
  /** pivot_root(2) into the root of `openRoot`, detach everything of the stage and the host, chdir("/"). */
  pivotRoot: { code: 90, fields: {} },

  // Process. After `pivotRoot`; paths are the container's own.
  /** setsid(2). */
  newSession: { code: 91, fields: {} },
  /**
   * Open a pseudo-terminal in the container's devpts, hand the master to the monitor, make the slave the controlling
   * terminal and descriptors 0–2 (owned by `uid`), and bind it over /dev/console when `console` is 1. After
   * `newSession`.
   */
  openTerminal: { code: 92, fields: { uid: "u32", rows: "u32", columns: "u32", console: "flag" } },
  /** Replace descriptor `descriptor` with the container's /dev/null. */
  redirectNull: { code: 93, fields: { descriptor: "u32" } },
  setRlimit: { code: 94, fields: { resource: "u32", soft: "u64", hard: "u64" } },
  setUmask: { code: 95, fields: { mask: "u32" } },
  setOomScoreAdj: { code: 96, fields: { value: "i32" } },
  setPersonality: { code: 97, fields: { value: "u64" } },
  setIoPriority: { code: 98, fields: { value: "u32" } },
  /** sched_setattr(2). */
  setScheduler: {
    code: 99,
    fields: {
      policy: "u32",
      flags: "u64",
      nice: "i32",
      priority: "u32",
      runtime: "u64",
      deadline: "u64",
      period: "u64",
    },
  },
  /** sched_setaffinity(2) to the listed CPUs. */
  setAffinity: { code: 100, fields: { cpus: "u32s" } },
  /** keyctl(2) KEYCTL_JOIN_SESSION_KEYRING with this name; ENOSYS is fine. */
  joinSessionKeyring: { code: 101, fields: { name: "string" } },
  /** prctl(PR_SET_SECUREBITS). */
  setSecurebits: { code: 102, fields: { value: "u32" } },
  /** prctl(PR_SET_KEEPCAPS). */
  keepCapabilities: { code: 103, fields: { value: "u32" } },
  /** Drop from the bounding set every capability that is not in the mask. */
  limitBounding: { code: 104, fields: { keep: "u64" } },
  setGroups: { code: 105, fields: { gids: "u32s" } },
  /** setresgid(2), then setresuid(2). */
  setUser: { code: 106, fields: { uid: "u32", gid: "u32" } },
  /** capset(2). */
  setCapabilities: {
    code: 107,
    fields: { effective: "u64", permitted: "u64", inheritable: "u64" },
  },
  /** Clear the ambient set, then raise each capability of the mask. */
  setAmbient: { code: 108, fields: { mask: "u64" } },
  noNewPrivileges: { code: 109, fields: {} },
  /** Write `exec <label>` to /proc/thread-self/attr/apparmor/exec (or attr/exec where that is missing). */
  apparmorOnExec: { code: 110, fields: { label: "string" } },
  /** landlock_create_ruleset(2) over these LANDLOCK_ACCESS_FS_* rights. */
  landlockBegin: { code: 111, fields: { handled: "u64" } },
  /**
   * landlock_add_rule(2) LANDLOCK_RULE_PATH_BENEATH; for what is no directory only the rights that files have. A missing
   * path is fine, and so is a pipe or a socket, to which Landlock does not apply.
   */
  landlockAllow: { code: 112, fields: { path: "string", access: "u64" } },
  /** landlock_restrict_self(2). After `noNewPrivileges`. */
  landlockEnforce: { code: 113, fields: {} },
  /**
   * chdir(2); with `createMode` not 0 a missing directory is made first. Fails with ENOENT when getcwd(2) afterwards is
   * outside the root (CVE-2024-21626).
   */
  changeDirectory: { code: 114, fields: { path: "string", createMode: "u32" } },
  /** Mark every descriptor from `first` on close-on-exec: close_range(2). */
  closeDescriptors: { code: 115, fields: { first: "u32" } },
  /**
   * Fork the command off; this process stays as PID 1: it closes its descriptors, loads `program` (a seccomp filter, may
   * be empty) on itself, keeps no capability but CAP_KILL, forwards signals to the command and reaps until the command
   * ends, then exits with its status. The list goes on in the child. After `setCapabilities`.
   */
  forkInit: { code: 116, fields: { seccompFlags: "u32", program: "bytes" } },
  /** seccomp(2) SECCOMP_SET_MODE_FILTER: `program` is an array of struct sock_filter. */
  loadSeccomp: { code: 117, fields: { flags: "u32", program: "bytes" } },
  /**
   * Reset every signal disposition and the mask, then execve(2) the first of `candidates` that exists: ENOENT and ENOTDIR
   * go on to the next; EACCES is remembered and reported when none succeeds.
   */
  execute: {
    code: 118,
    fields: { candidates: "strings", arguments: "strings", environment: "strings" },
  },
} as const;

type OperationOf<Table extends { readonly [name: string]: OperationDefinition }> = {
  readonly [Name in keyof Table]: { readonly op: Name } & {
    readonly [Field in keyof Table[Name]["fields"]]: FieldValue[Table[Name]["fields"][Field]];
  };
}[keyof Table];

export type MonitorOperation = OperationOf<typeof MONITOR_OPERATIONS>;
export type ContainerOperation = OperationOf<typeof CONTAINER_OPERATIONS>;
export type Operation = MonitorOperation | ContainerOperation;
