/**
 * From what was asked for to the OCI Spec that says so: `pycri spec` prints its result, and `planLaunch` needs nothing
 * else but the `LaunchOptions` beside it.
 */

import { RuntimeError } from "../errors.ts";
import type { BlockDevice, LinuxResources } from "../oci/linux-resources.ts";
import { type LinuxSeccomp, OCI_VERSION, type Process, type Spec } from "../oci/spec.ts";
import { buildCapabilities } from "./capabilities.ts";
import { buildHiddenPaths } from "./default-paths.ts";
import type { HostFacts, RootFacts } from "./host-facts.ts";
import { HOST_ROOT_MASKED_PATHS, buildPrivateDirectories } from "./host-root.ts";
import { type AllocatedRanges, type IdMappings, buildIdMappings, isMapped, mayCallSetgroups } from "./id-mappings.ts";
import type { LaunchOptions, RootMode } from "./launch-options.ts";
import { buildMounts } from "./mounts.ts";
import { buildNamespaces, buildTimeOffsets } from "./namespaces.ts";
import { DEFAULT_PATH } from "./process.ts";
import { buildResources } from "./resources.ts";
import { buildRlimits } from "./rlimits.ts";
import type { RunRequest } from "./run-request.ts";
import { type ResolvedUser, resolveUser } from "./user.ts";

/** The tty group, which owns the slaves of devpts. */
const TTY_GROUP = 5;

export interface SpecExtra {
  /** The container's id. */
  readonly id: string;
  /** The resolved profile; null without a filter. */
  readonly seccomp: LinuxSeccomp | null;
  /** What other containers of `--userns auto` hold. */
  readonly allocatedRanges: AllocatedRanges;
  /** `linux.resources`, from `buildResources`; absent: built here, for requests that name no device. */
  readonly resources?: LinuxResources;
  readonly cgroupsPath?: string;
}

export interface BuiltSpec {
  readonly spec: Spec;
  readonly options: LaunchOptions;
  readonly warnings: readonly string[];
}

export function buildSpec(request: RunRequest, facts: HostFacts, root: RootFacts, extra: SpecExtra): BuiltSpec {
  const ids = buildIdMappings(request.userNamespace, facts, extra.allocatedRanges);
  const namespaces = buildNamespaces(request);
  const { uidMappings, gidMappings } = ids;
  const resolved = resolveUser(
    {
      ...(request.user === undefined ? {} : { user: request.user }),
      ...defaultUser(request, facts),
      additionalGroups: request.additionalGroups,
      uidMappings,
      gidMappings,
      mayCallSetgroups: mayCallSetgroups({ namespaces, uidMappings, gidMappings }, facts),
    },
    root,
  );
  const hostname = buildHostname(request, extra.id);
  const resources = extra.resources ?? buildResources(request.resources, unknownDevice, false);
  const hidden = buildHiddenPaths(request.security.mask, request.security.unmask);
  const isHost = request.root.kind === "host";

  const spec: Spec = {
    ociVersion: OCI_VERSION,
    process: buildProcess(request, facts, resolved, hostname),
    root: {
      path: request.root.kind === "host" ? "/" : request.root.path,
      readonly: isHost || request.writes.kind === "refuse",
    },
    ...(hostname === undefined ? {} : { hostname }),
    mounts: buildMounts(request, facts, { namespaces, ttyGroupMapped: isMapped(gidMappings, TTY_GROUP) }),
    linux: {
      uidMappings,
      gidMappings,
      ...(Object.keys(request.sysctls).length > 0 ? { sysctl: request.sysctls } : {}),
      ...(Object.keys(resources).length > 0 ? { resources } : {}),
      ...(extra.cgroupsPath === undefined ? {} : { cgroupsPath: extra.cgroupsPath }),
      namespaces,
      ...(extra.seccomp === null ? {} : { seccomp: extra.seccomp }),
      rootfsPropagation: "private",
      maskedPaths: isHost ? [...hidden.maskedPaths, ...HOST_ROOT_MASKED_PATHS] : hidden.maskedPaths,
      readonlyPaths: hidden.readonlyPaths,
      ...(request.timeOffset === undefined ? {} : { timeOffsets: buildTimeOffsets(request.timeOffset) }),
    },
  };
  return { spec, options: buildOptions(request, facts, resolved, ids, extra.id), warnings: ids.warnings };
}

function buildOptions(
  request: RunRequest,
  facts: HostFacts,
  resolved: ResolvedUser,
  ids: IdMappings,
  id: string,
): LaunchOptions {
  const root: RootMode =
    request.root.kind === "host"
      ? {
          kind: "host",
          hidden: buildPrivateDirectories(facts, resolved, {
            uid: isMapped(ids.uidMappings, 0) ? 0 : resolved.user.uid,
            gid: isMapped(ids.gidMappings, 0) ? 0 : resolved.user.gid,
          }),
        }
      : {
          kind: "directory",
          writes: request.writes,
          ...(request.root.kind === "image" ? { layers: request.root.layers, copier: request.root.copier } : {}),
        };
  if (request.root.kind === "image" && request.writes.kind === "through") {
    throw new RuntimeError("INVALID_ARGUMENT", `The image "${request.root.image.name}" is read-only`, {
      hint: "Leave out --rw: writes go to a layer of the container's own. To keep them use --upper.",
    });
  }
  if (request.root.kind === "host" && (request.writes.kind === "through" || request.writes.kind === "upper")) {
    throw new RuntimeError("INVALID_ARGUMENT", "The root filesystem host is read-only", {
      hint: "Leave out --rw and --upper, or give a root filesystem of your own.",
    });
  }
  return {
    id,
    root,
    directories: request.directories,
    init: request.init,
    interactive: request.interactive,
    forwardSignals: request.forwardSignals,
    ...(request.stopTimeout === undefined ? {} : { stopTimeout: request.stopTimeout }),
    landlock: request.security.landlock,
    cgroups: request.cgroups,
    ...(request.cidFile === undefined ? {} : { cidFile: request.cidFile }),
    ...(request.pidFile === undefined ? {} : { pidFile: request.pidFile }),
  };
}

/** Root, except that `keep-id` keeps the caller what it is. */
function defaultUser(request: RunRequest, facts: HostFacts): { defaultUid: number; defaultGid: number } {
  const mode = request.userNamespace;
  if (mode.kind !== "keep-id") return { defaultUid: 0, defaultGid: 0 };
  return { defaultUid: mode.uid ?? facts.uid, defaultGid: mode.gid ?? facts.gid };
}

/** As Docker: the first twelve digits of the id. Undefined when the container has the host's UTS namespace. */
function buildHostname(request: RunRequest, id: string): string | undefined {
  if (request.utsNamespace === "private") return request.hostname ?? id.slice(0, 12);
  if (request.hostname === undefined) return undefined;
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot set the hostname "${request.hostname}" of the host`, {
    hint: "Leave out --hostname or --uts host.",
  });
}

function buildProcess(
  request: RunRequest,
  facts: HostFacts,
  resolved: ResolvedUser,
  hostname: string | undefined,
): Process {
  const { user, home } = resolved;
  const cwd = request.workingDirectory ?? "/";
  if (!cwd.startsWith("/")) {
    throw new RuntimeError("INVALID_ARGUMENT", `The working directory "${cwd}" is not absolute`);
  }
  const apparmor = request.security.apparmor;
  if (apparmor !== undefined && apparmor !== "unconfined" && !facts.apparmor.enabled) {
    throw new RuntimeError(
      "HOST_UNSUPPORTED",
      `Cannot apply the AppArmor profile "${apparmor}": the host has no AppArmor`,
      {
        hint: "Leave out --security-opt apparmor=.",
      },
    );
  }
  return {
    terminal: request.terminal,
    ...(request.terminal && request.terminalSize !== undefined
      ? { consoleSize: { height: request.terminalSize.rows, width: request.terminalSize.columns } }
      : {}),
    user: { ...user, ...(request.umask === undefined ? {} : { umask: request.umask }) },
    args: request.command,
    env: buildEnvironment(request, home, hostname),
    cwd,
    capabilities: buildCapabilities(request.capabilitiesAdd, request.capabilitiesDrop, user.uid === 0, facts),
    rlimits: buildRlimits(request.rlimits, facts),
    noNewPrivileges: request.security.noNewPrivileges,
    ...(apparmor !== undefined && apparmor !== "unconfined" ? { apparmorProfile: apparmor } : {}),
    ...(request.oomScoreAdj === undefined ? {} : { oomScoreAdj: request.oomScoreAdj }),
  };
}

/** What Docker sets, and `container`, by which systemd and others know where they are; then the request's own. */
function buildEnvironment(request: RunRequest, home: string, hostname: string | undefined): readonly string[] {
  const variables = new Map<string, string>([["PATH", DEFAULT_PATH]]);
  if (hostname !== undefined) variables.set("HOSTNAME", hostname);
  variables.set("HOME", home);
  if (request.terminal) variables.set("TERM", "xterm");
  variables.set("container", "pycri");
  for (const entry of request.environment) {
    const end = entry.indexOf("=");
    if (end < 1 || entry.includes("\0")) {
      throw new RuntimeError("INVALID_ARGUMENT", `Invalid environment variable "${entry}"`, {
        hint: "Write NAME=VALUE.",
      });
    }
    variables.set(entry.slice(0, end), entry.slice(end + 1));
  }
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function unknownDevice(path: string): BlockDevice {
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot limit the device "${path}": its number is unknown`);
}
