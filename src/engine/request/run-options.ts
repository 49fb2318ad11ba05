/**
 * The options of a run as callers give them, and their one normalisation into a `RunRequest`. The library's `run` takes
 * this type as it is; the command line makes it of its flags, text by text.
 */

import { resolve } from "node:path";
import { RuntimeError } from "../../errors.ts";
import type {
  CgroupPolicy,
  MountRequest,
  NamespaceMode,
  RootSource,
  RootWrites,
  RunRequest,
} from "../../plan/run-request.ts";
import { parseEnvironmentFile, parseEnvironmentVariable, parsePairs, type HostEnvironment } from "./environment.ts";
import { parseIdMapping, parseTimeOffset, parseUserNamespace } from "./identity.ts";
import { namesImage } from "./names-image.ts";
import { invalidValue } from "./invalid-value.ts";
import { parseResources, parseUlimit, type ResourceOptions } from "./limits.ts";
import { parseDevice, parseMount, parseTmpfs, parseVolume, type Warn } from "./mounts.ts";
import { parseInteger, parseOctal, parseSize } from "./numbers.ts";
import { parseCapabilities, parseSecurityOptions } from "./security.ts";

export interface RunOptions extends ResourceOptions {
  /** A directory, `host` for a read-only view of the host's own files, or an image. */
  readonly rootfs: string;
  /** The image that `rootfs` names, prepared; absent for anything else. */
  readonly image?: RootSource & { readonly kind: "image" };
  /** An image's `NAME=value` variables, below the caller's own. */
  readonly environmentDefaults?: readonly string[];
  /** Paths that an image declares as volumes; absolute. */
  readonly imageVolumes?: readonly string[];
  /** The command and its arguments; `/bin/sh` when absent. */
  readonly command?: readonly string[];
  /** Put before `command`. */
  readonly entrypoint?: string | readonly string[];

  /** What becomes of writes: `discard` (the default), `through` to the root filesystem itself, or `refuse`. */
  readonly writes?: "discard" | "through" | "refuse";
  /** A directory that keeps what is written; excludes `writes`. */
  readonly upper?: string;
  readonly name?: string;
  /** Forget the container when it ends; true unless it has a name. */
  readonly remove?: boolean;
  readonly labels?: readonly string[];
  readonly cidFile?: string;
  readonly pidFile?: string;

  /** default, keep-id[:uid=,gid=], nomap, auto[:size=], single. */
  readonly userns?: string;
  /** `CONTAINER:HOST:SIZE`. */
  readonly uidMappings?: readonly string[];
  readonly gidMappings?: readonly string[];
  readonly pid?: NamespaceMode;
  readonly ipc?: NamespaceMode;
  readonly uts?: NamespaceMode;
  readonly cgroupns?: NamespaceMode;
  readonly network?: "none" | "host";
  /** Seconds, or `monotonic=SECONDS,boottime=SECONDS`. */
  readonly timeOffset?: string | number;

  /** `SOURCE:TARGET[:OPTION,…]`. */
  readonly volumes?: readonly string[];
  /** `type=bind,source=…,target=…`. */
  readonly mounts?: readonly string[];
  /** `TARGET[:OPTION,…]`. */
  readonly tmpfs?: readonly string[];
  /** `HOST[:CONTAINER][:rwm]`. */
  readonly devices?: readonly string[];
  readonly shmSize?: string | number;

  /** `NAME=value`, or `NAME` for the caller's own value. */
  readonly environment?: readonly string[];
  readonly environmentFiles?: readonly string[];
  readonly workingDirectory?: string;
  /** `USER[:GROUP]`, names or numbers. */
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly hostname?: string;
  /** `NAME=SOFT[:HARD]`. */
  readonly ulimits?: readonly string[];
  /** `KEY=value`. */
  readonly sysctls?: readonly string[];
  readonly oomScoreAdj?: string | number;
  /** Octal text, or permission bits. */
  readonly umask?: string | number;
  readonly init?: boolean;
  /** Pass stdin through; the default. */
  readonly interactive?: boolean;
  readonly terminal?: boolean;
  /** Forward signals to the command; the default. */
  readonly forwardSignals?: boolean;
  /** Seconds between a forwarded SIGTERM and SIGKILL; never, when absent. */
  readonly stopTimeout?: string | number;

  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** All capabilities (over the container's own namespaces), no seccomp filter, nothing masked. */
  readonly privileged?: boolean;
  /** `seccomp=…`, `no-new-privileges=…`, `apparmor=…`, `landlock=…`, `proc-opts=…`, `mask=…`, `unmask=…`. */
  readonly securityOptions?: readonly string[];

  readonly cgroups?: CgroupPolicy;
  readonly cgroupManager?: "systemd" | "cgroupfs" | "disabled";
  readonly cgroupParent?: string;
}

/** What normalisation takes from the caller's surroundings. */
export interface CallerContext {
  readonly workingDirectory: string;
  readonly environment: HostEnvironment;
  readonly terminalSize: { readonly rows: number; readonly columns: number } | null;
  /** Contents of a file named by an option. Throws RuntimeError. */
  readonly readFile: (option: string, path: string) => string;
  readonly isDirectory: (path: string) => boolean;
  readonly warn: Warn;
}

/** Docker's default for /dev/shm. */
const SHM_SIZE = 64 * 1024 * 1024;

/** HOST_NAME_MAX of Linux, gethostname(2). */
const LONGEST_HOSTNAME = 64;

/**
 * Normalise options into a request.
 * @throws RuntimeError INVALID_ARGUMENT with the option, its value and what a good one looks like; IMAGE_NOT_FOUND.
 */
export function buildRunRequest(options: RunOptions, context: CallerContext): RunRequest {
  const cwd = context.workingDirectory;
  const command = [...asList(options.entrypoint), ...(options.command ?? [])];
  const privileged = options.privileged === true;
  const name = optional(options.name, checkName);
  const terminal = options.terminal === true;
  const writes = resolveWrites(options, cwd);
  const mounts = [
    ...(options.volumes ?? []).map((value) => parseVolume(value, cwd, context.warn)),
    ...(options.mounts ?? []).map((value) => parseMount(value, cwd, context.warn)),
    ...(options.tmpfs ?? []).map((value) => parseTmpfs(value, context.warn)),
  ];
  const imageVolumes = [...new Set((options.imageVolumes ?? []).map((path) => resolve("/", path)))].filter(
    (path) => path !== "/" && !mounts.some(({ target }) => target === path),
  );

  return {
    root: options.image ?? resolveRoot(options.rootfs, context),
    writes,
    command: command.length > 0 ? command : ["/bin/sh"],
    ...present("name", name),
    remove: options.remove ?? name === undefined,
    labels: parsePairs("--label", options.labels ?? [], true),
    ...present(
      "cidFile",
      optional(options.cidFile, (path) => resolve(cwd, path)),
    ),
    ...present(
      "pidFile",
      optional(options.pidFile, (path) => resolve(cwd, path)),
    ),

    userNamespace: resolveUserNamespace(options),
    pidNamespace: options.pid ?? "private",
    ipcNamespace: options.ipc ?? "private",
    utsNamespace: options.uts ?? "private",
    cgroupNamespace: options.cgroupns ?? "private",
    network: options.network ?? "none",
    ...present("timeOffset", optional(options.timeOffset, parseTimeOffset)),

    // The writable layer lives as long as an anonymous volume would. Where there is none, memory takes the writes.
    mounts: writes.kind === "refuse" ? [...mounts, ...imageVolumes.map(emptyVolume)] : mounts,
    directories: writes.kind === "refuse" ? [] : imageVolumes,
    devices: (options.devices ?? []).map(parseDevice),
    shmSize: options.shmSize === undefined ? SHM_SIZE : parseSize("--shm-size", options.shmSize),

    environment: resolveEnvironment(options, context),
    ...present("workingDirectory", optional(options.workingDirectory, checkWorkingDirectory)),
    ...present("user", optional(options.user, checkUser)),
    additionalGroups: options.groups ?? [],
    ...present("hostname", optional(options.hostname, checkHostname)),
    rlimits: (options.ulimits ?? []).map(parseUlimit),
    sysctls: parsePairs("--sysctl", options.sysctls ?? [], false),
    ...present(
      "oomScoreAdj",
      optional(options.oomScoreAdj, (value) => parseInteger("--oom-score-adj", value, -1000, 1000)),
    ),
    ...present(
      "umask",
      optional(options.umask, (value) => parseOctal("--umask", value, 0o777)),
    ),
    init: options.init === true,
    interactive: options.interactive ?? true,
    terminal,
    ...(terminal && context.terminalSize !== null ? { terminalSize: context.terminalSize } : {}),
    forwardSignals: options.forwardSignals ?? true,
    ...present(
      "stopTimeout",
      optional(options.stopTimeout, (value) => parseInteger("--stop-timeout", value, 0, 4_294_967)),
    ),

    capabilitiesAdd: [...(privileged ? ["ALL"] : []), ...parseCapabilities("--cap-add", options.capAdd ?? [])],
    capabilitiesDrop: parseCapabilities("--cap-drop", options.capDrop ?? []),
    security: parseSecurityOptions(options.securityOptions ?? [], privileged, cwd, context.warn),

    resources: parseResources(options),
    cgroups: options.cgroups ?? "enabled",
    ...present("cgroupManager", options.cgroupManager),
    ...present("cgroupParent", options.cgroupParent),
  };
}

function emptyVolume(target: string): MountRequest {
  return { kind: "tmpfs", target, readOnly: false, options: [] };
}

function resolveRoot(rootfs: string, context: CallerContext): RootSource {
  if (rootfs === "host") return { kind: "host" };
  if (rootfs === "") {
    throw invalidValue("ROOTFS", rootfs, "give a directory that holds a root filesystem, or the word host");
  }
  const path = resolve(context.workingDirectory, rootfs);
  if (!namesImage(rootfs, (name) => context.isDirectory(resolve(context.workingDirectory, name)))) {
    return { kind: "directory", path };
  }
  throw new RuntimeError("IMAGE_NOT_FOUND", `Cannot find the image "${rootfs}": none is stored under this name`, {
    hint: context.isDirectory(path)
      ? `for the directory of this name write ./${rootfs}`
      : "give a directory such as ./rootfs (mmdebstrap or debootstrap make one), or the word host for the host's own files",
    details: { image: rootfs },
  });
}

function resolveWrites(options: RunOptions, cwd: string): RootWrites {
  if (options.upper !== undefined) {
    if (options.writes !== undefined && options.writes !== "discard") {
      throw invalidValue("--upper", options.upper, "it excludes --rw and --read-only");
    }
    return { kind: "upper", path: resolve(cwd, options.upper) };
  }
  const writes = options.writes ?? "discard";
  if (writes === "through" && options.rootfs === "host") {
    throw invalidValue("--rw", "host", "the host's own files are never written to; bind what may be with --volume");
  }
  return { kind: writes };
}

function resolveUserNamespace(options: RunOptions): RunRequest["userNamespace"] {
  const uidMappings = (options.uidMappings ?? []).map((value) => parseIdMapping("--uidmap", value));
  const gidMappings = (options.gidMappings ?? []).map((value) => parseIdMapping("--gidmap", value));
  if (uidMappings.length === 0 && gidMappings.length === 0) return parseUserNamespace(options.userns ?? "default");
  if (options.userns !== undefined) {
    throw invalidValue("--userns", options.userns, "give --userns, or --uidmap and --gidmap, not both");
  }
  // As Podman: one of the two stands for both.
  return {
    kind: "explicit",
    uidMappings: uidMappings.length > 0 ? uidMappings : gidMappings,
    gidMappings: gidMappings.length > 0 ? gidMappings : uidMappings,
  };
}

/** Files first, whatever the order on the command line, as Docker has it. */
function resolveEnvironment(options: RunOptions, context: CallerContext): string[] {
  const fromFiles = (options.environmentFiles ?? []).flatMap((path) =>
    parseEnvironmentFile(
      context.readFile("--env-file", resolve(context.workingDirectory, path)),
      path,
      context.environment,
    ),
  );
  const fromOptions = (options.environment ?? []).flatMap((value) => {
    const variable = parseEnvironmentVariable(value, context.environment);
    return variable === null ? [] : [variable];
  });
  return [...(options.environmentDefaults ?? []), ...fromFiles, ...fromOptions];
}

function checkName(name: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
    throw invalidValue("--name", name, "a name has letters, digits, _ . - and begins with a letter or digit");
  }
  return name;
}

function checkHostname(hostname: string): string {
  if (hostname === "" || Buffer.byteLength(hostname) > LONGEST_HOSTNAME || /[\s/\0]/.test(hostname)) {
    throw invalidValue("--hostname", hostname, `a host name has 1 to ${LONGEST_HOSTNAME} characters, no blanks`);
  }
  return hostname;
}

function checkUser(user: string): string {
  if (!/^[^:\s]+(:[^:\s]+)?$/.test(user))
    throw invalidValue("--user", user, "write USER or USER:GROUP, names or numbers");
  return user;
}

function checkWorkingDirectory(path: string): string {
  if (!path.startsWith("/")) throw invalidValue("--workdir", path, "the path is absolute");
  return resolve("/", path);
}

function asList(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined || value === "") return [];
  return typeof value === "string" ? [value] : value;
}

function optional<T, U>(value: T | undefined, parse: (value: T) => U): U | undefined {
  return value === undefined ? undefined : parse(value);
}

/** `{key: value}`, or nothing when the value is undefined: exact optional properties are absent, not undefined. */
function present<Key extends string, T>(key: Key, value: T | undefined): { readonly [K in Key]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: T };
}
