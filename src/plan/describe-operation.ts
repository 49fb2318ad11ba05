/**
 * Operations in words: one line each for `pycri run --dry-run`, and what follows "Cannot" in the message of a failure.
 */

import { MOUNT_ATTR, MS } from "../oci/mount-options.ts";
import { RLIMIT_NAMES, RLIM_INFINITY } from "../oci/rlimit-numbers.ts";
import { formatCapabilities } from "./capabilities.ts";
import type { LaunchPlan } from "./launch-plan.ts";
import { CLONE_FLAG } from "./namespaces.ts";
import { ANCHOR, CREATE, type Operation } from "./operations.ts";

/** What a plan parks in a slot, and where it ends up. */
export interface SlotUse {
  /** A host path, or a file system's type. */
  readonly content: string;
  /** True for a clone of a host mount. */
  readonly bind: boolean;
  readonly target: string | null;
}

export type SlotUses = ReadonlyMap<number, SlotUse>;

export function slotUses(plan: Pick<LaunchPlan, "monitor" | "container">): SlotUses {
  const uses = new Map<number, SlotUse>();
  for (const operation of [...plan.monitor, ...plan.container]) {
    if (operation.op === "openTree" || operation.op === "openTreeIdmapped") {
      uses.set(operation.slot, { content: operation.path, bind: true, target: null });
    } else if (operation.op === "mount") {
      uses.set(operation.slot, { content: operation.type, bind: false, target: null });
    } else if (operation.op === "attach") {
      const use = uses.get(operation.slot);
      if (use !== undefined) uses.set(operation.slot, { ...use, target: place(operation.anchor, operation.target) });
    }
  }
  return uses;
}

/** A verb phrase in the infinitive, without a full stop. */
export function describeOperation(operation: Operation, uses: SlotUses): string {
  switch (operation.op) {
    case "clone":
      return `create the namespaces ${cloneFlags(operation.flags)}${operation.cgroup === "" ? "" : ` in the cgroup "${operation.cgroup}"`}`;
    case "endWithCaller":
      return "tie the monitor to the caller's life";
    case "spawnJanitor":
      return "start the janitor, which cleans up should the monitor be killed";
    case "writeChildProc":
      return `write "${operation.contents.trim().replaceAll("\n", ", ")}" to the container's ${operation.name}`;
    case "runIdMapTools":
      return `map ids with ${[toolCall(operation.uidTool, operation.uidRanges), toolCall(operation.gidTool, operation.gidRanges)].filter((call) => call !== "").join(" and ")}`;
    case "openTreeIdmapped":
      return `open "${operation.path}" with the container's ids`;
    case "makeHostDirectory":
      return `make the directory "${operation.path}" on the host`;
    case "writeHostFile":
      return `write the file "${operation.path}" on the host`;
    case "makeHostSymlink":
      return `link "${operation.path}" to "${operation.target}" on the host`;
    case "writeKernelFile":
      return `write "${operation.contents}" to "${operation.path}"`;
    case "writeChildPid":
      return `write the container's PID to "${operation.path}"`;
    case "holdLock":
      return `lock "${operation.path}"`;
    case "release":
      return "let the container set itself up and start the command";
    case "supervise":
      return "wait for the container to end";
    case "removeHostFile":
      return `remove the file "${operation.path}"${operation.unlessStarted === 1 ? " unless the command ran" : ""}`;
    case "removeHostTree":
      return `remove the directory "${operation.path}"${operation.unlessStarted === 1 ? " unless the command ran" : ""}`;
    case "removeCgroup":
      return `remove the cgroup "${operation.path}"`;
    case "killCgroup":
      return `kill what is left in the cgroup "${operation.path}"`;
    case "reportCounter":
      return `read the counter "${operation.key}" of "${operation.path}"`;
    case "attempt":
      return `try the next ${operation.first} operations${operation.otherwise > 0 ? `, and should one fail the ${operation.otherwise} after them` : ""}`;
    case "warn":
      return `warn: ${operation.message}`;
    case "deathSignal":
      return "die with the monitor";
    case "setDumpable":
      return operation.value === 0 ? "hide the memory from other processes" : "show the memory to other processes";
    case "requestProgram":
      return `run ${[operation.path, ...operation.arguments.slice(1)].map((word) => `"${word}"`).join(" ")}`;
    case "unshare":
      return `create the namespaces ${cloneFlags(operation.flags)}`;
    case "joinNamespace":
      return `join the namespace "${operation.path}" (${cloneFlags(operation.type)})`;
    case "setTimeOffset":
      return `set the clock ${operation.clock === 1 ? "CLOCK_MONOTONIC" : "CLOCK_BOOTTIME"} off by ${operation.seconds} s and ${operation.nanoseconds} ns`;
    case "enterTimeNamespace":
      return "enter the time namespace";
    case "setHostname":
      return `set the hostname to "${operation.name}"`;
    case "setDomainname":
      return `set the domain name to "${operation.name}"`;
    case "raiseLoopback":
      return "set the loopback interface up";
    case "setSysctl":
      return `set the sysctl ${operation.key.replaceAll("/", ".")} to "${operation.value}"`;
    case "setPropagation":
      return `make the mount "${operation.path}" ${propagation(operation.flags)}`;
    case "openTree":
      return `open ${operation.recursive === 1 ? "the tree" : "the mount"} "${operation.path}"`;
    case "enterStage":
      return `mount the stage at "${operation.path}"`;
    case "pivotStage":
      return "make the stage the root, the host's files below /old";
    case "makeDirectory":
      return `make the directory ${place(operation.anchor, operation.path)}`;
    case "makeDirectoryLike":
      return `make the directory ${place(operation.anchor, operation.path)} with owner and mode of "${operation.like}"`;
    case "makeFile":
      return `make the file ${place(operation.anchor, operation.path)}`;
    case "makeSymlink":
      return `link ${place(operation.anchor, operation.path)} to "${operation.target}"`;
    case "mount":
      return `mount "${operation.type}"${at(uses.get(operation.slot)?.target)}${list([...operation.options, ...attributes(operation.attributes)])}`;
    case "attach": {
      const use = uses.get(operation.slot);
      const verb = use?.bind === false ? "attach" : "bind";
      const settings = [
        ...attributes(operation.set),
        ...(operation.propagation === 0n ? [] : [propagation(operation.propagation)]),
      ];
      const missing = operation.create === CREATE.skip ? ", where it exists" : "";
      return `${verb} "${use?.content ?? `slot ${operation.slot}`}" at ${place(operation.anchor, operation.target)}${missing}${list(settings)}`;
    }
    case "setMountAttributes":
      return `change the mount ${place(operation.anchor, operation.path)}${list([...attributes(operation.set), ...(operation.propagation === 0n ? [] : [propagation(operation.propagation)])])}`;
    case "openRoot":
      return "open the root filesystem";
    case "maskPath":
      return `hide "${operation.path}"`;
    case "readOnlyPath":
      return `make "${operation.path}" read-only`;
    case "pivotRoot":
      return "make the root filesystem the root and detach everything else";
    case "newSession":
      return "start a session";
    case "openTerminal":
      return `open a terminal of ${operation.rows} rows and ${operation.columns} columns`;
    case "redirectNull":
      return `connect descriptor ${operation.descriptor} to /dev/null`;
    case "setRlimit":
      return `set ${RLIMIT_NAMES[operation.resource] ?? `resource limit ${operation.resource}`} to ${rlimit(operation.soft)}:${rlimit(operation.hard)}`;
    case "setUmask":
      return `set the umask to ${octal(operation.mask)}`;
    case "setOomScoreAdj":
      return `set oom_score_adj to ${operation.value}`;
    case "setPersonality":
      return `set the personality to 0x${operation.value.toString(16)}`;
    case "setIoPriority":
      return `set the I/O priority to ${operation.value}`;
    case "setScheduler":
      return `set the scheduling policy to ${operation.policy}`;
    case "setAffinity":
      return `bind the process to the CPUs ${operation.cpus.join(", ")}`;
    case "joinSessionKeyring":
      return `join the new session keyring "${operation.name}"`;
    case "setSecurebits":
      return `set the securebits to 0x${operation.value.toString(16)}`;
    case "keepCapabilities":
      return operation.value === 1 ? "keep capabilities over the change of user" : "stop keeping capabilities";
    case "limitBounding":
      return `limit the bounding set to ${formatCapabilities(operation.keep)}`;
    case "setGroups":
      return operation.gids.length === 0
        ? "leave every supplementary group"
        : `set the supplementary groups to ${operation.gids.join(", ")}`;
    case "setUser":
      return `become user ${operation.uid} and group ${operation.gid}`;
    case "setCapabilities":
      return `set the capabilities: effective ${formatCapabilities(operation.effective)}; permitted ${formatCapabilities(operation.permitted)}; inheritable ${formatCapabilities(operation.inheritable)}`;
    case "setAmbient":
      return `set the ambient capabilities to ${formatCapabilities(operation.mask)}`;
    case "noNewPrivileges":
      return "set no_new_privs";
    case "apparmorOnExec":
      return `set the AppArmor profile "${operation.label}"`;
    case "landlockBegin":
      return "create a Landlock ruleset against writing";
    case "landlockAllow":
      return `allow writing below "${operation.path}"`;
    case "landlockEnforce":
      return "enforce the Landlock ruleset";
    case "changeDirectory":
      return `change to the directory "${operation.path}"`;
    case "closeDescriptors":
      return `close every descriptor from ${operation.first} on at exec`;
    case "forkInit":
      return "fork the command off and stay as PID 1";
    case "loadSeccomp":
      return `load the seccomp filter (${operation.program.length / SOCK_FILTER_BYTES} instructions)`;
    case "execute":
      return `execute ${operation.arguments.map((word) => JSON.stringify(word)).join(" ")}`;
  }
}

/** struct sock_filter. */
const SOCK_FILTER_BYTES = 8;

function place(anchor: number, path: string): string {
  return anchor === ANCHOR.stage ? `"${path}" of the stage` : `"${path}"`;
}

function at(target: string | null | undefined): string {
  return target === null || target === undefined ? "" : ` at ${target}`;
}

function list(words: readonly string[]): string {
  return words.length === 0 ? "" : ` (${words.join(", ")})`;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

function rlimit(value: bigint): string {
  return value === RLIM_INFINITY ? "unlimited" : String(value);
}

function toolCall(tool: string, ranges: readonly string[]): string {
  return tool === "" ? "" : `"${tool}" ${ranges.join(" ")}`;
}

function cloneFlags(flags: bigint): string {
  return Object.entries(CLONE_FLAG)
    .filter(([, flag]) => (flags & flag) !== 0n)
    .map(([name]) => name)
    .toSorted()
    .join(", ");
}

function attributes(set: bigint): readonly string[] {
  const names: readonly (readonly [bigint, string])[] = [
    [MOUNT_ATTR.RDONLY, "ro"],
    [MOUNT_ATTR.NOSUID, "nosuid"],
    [MOUNT_ATTR.NODEV, "nodev"],
    [MOUNT_ATTR.NOEXEC, "noexec"],
    [MOUNT_ATTR.NOATIME, "noatime"],
    [MOUNT_ATTR.STRICTATIME, "strictatime"],
    [MOUNT_ATTR.NODIRATIME, "nodiratime"],
    [MOUNT_ATTR.NOSYMFOLLOW, "nosymfollow"],
  ];
  return names.filter(([bit]) => (set & bit) !== 0n).map(([, name]) => name);
}

function propagation(flags: bigint): string {
  const names: readonly (readonly [bigint, string])[] = [
    [MS.SHARED, "shared"],
    [MS.SLAVE, "slave"],
    [MS.PRIVATE, "private"],
    [MS.UNBINDABLE, "unbindable"],
  ];
  const [, name = "unchanged"] = names.find(([bit]) => (flags & bit) !== 0n) ?? [];
  return (flags & MS.REC) === 0n ? name : `r${name}`;
}
