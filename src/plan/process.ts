/**
 * The process: from the container half, still all-powerful in its own namespaces, to the command. The order is the
 * security: each step gives something up that the ones before it needed.
 */

import { RuntimeError } from "../errors.ts";
import { capabilityBit } from "../oci/capability-numbers.ts";
import type { Linux, Process } from "../oci/spec.ts";
import { capabilityMasks } from "./capabilities.ts";
import type { HostFacts } from "./host-facts.ts";
import { mayCallSetgroups } from "./id-mappings.ts";
import type { LaunchOptions } from "./launch-options.ts";
import { hasNamespace, makesNamespace } from "./namespaces.ts";
import type { ContainerOperation } from "./operations.ts";
import { planRlimits } from "./rlimits.ts";
import { planIoPriority, planPersonality, planScheduler } from "./scheduling.ts";

const SIGKILL = 9;

/** What login(1) and other runtimes start programs with. */
const DEFAULT_UMASK = 0o022;

/** A compiled seccomp filter: an array of struct sock_filter, and SECCOMP_FILTER_FLAG_*. */
export interface SeccompProgram {
  readonly program: Uint8Array;
  readonly flags: number;
}

export interface ProcessContext {
  readonly linux: Linux;
  readonly options: LaunchOptions;
  readonly facts: HostFacts;
  readonly filter: SeccompProgram | null;
  readonly landlock: readonly ContainerOperation[];
}

/** Everything after `pivotRoot`. */
export function planProcess(process: Process, context: ProcessContext): readonly ContainerOperation[] {
  const { linux, options } = context;
  const command = process.args ?? [];
  const [name] = command;
  if (name === undefined) throw new RuntimeError("INVALID_SPEC", "process.args is empty: there is no command");
  if (!process.cwd.startsWith("/")) {
    throw new RuntimeError("INVALID_SPEC", `The working directory "${process.cwd}" is not absolute`);
  }
  if (options.init && !hasNamespace(linux, "pid")) {
    throw new RuntimeError("INVALID_ARGUMENT", "--init needs the container's own PID namespace", {
      hint: "Leave out --init or --pid host.",
    });
  }
  return [
    ...planStdio(process, options),
    ...planScheduler(process),
    ...planIoPriority(process),
    ...planPersonality(linux),
    ...planCredentials(process, context),
    ...planExec(command, process.env ?? []),
  ];
}

function planStdio(process: Process, options: LaunchOptions): readonly ContainerOperation[] {
  // A session of its own: the container can neither signal the caller's job nor push input into its terminal
  // (TIOCSTI, CVE-2016-2779).
  const operations: ContainerOperation[] = [{ op: "newSession" }];
  if (process.terminal === true) {
    operations.push({
      op: "openTerminal",
      uid: process.user.uid,
      rows: process.consoleSize?.height ?? 24,
      columns: process.consoleSize?.width ?? 80,
      console: 1,
    });
  } else if (!options.interactive) {
    operations.push({ op: "redirectNull", descriptor: 0 });
  }
  return operations;
}

/**
 * User, capabilities, no_new_privs, seccomp.
 *
 * seccomp(2) and landlock_restrict_self(2) want no_new_privs or CAP_SYS_ADMIN. With no_new_privs, which is the default,
 * the filter is the very last step and judges execve(2) alone. Without, SYS_ADMIN is kept until the filter is loaded and
 * dropped under it: such a filter must allow capset(2).
 */
function planCredentials(process: Process, context: ProcessContext): readonly ContainerOperation[] {
  const { linux, options, facts, filter } = context;
  const { uid, gid, additionalGids = [], umask } = process.user;
  const masks = capabilityMasks(process.capabilities, facts);
  const noNewPrivileges = process.noNewPrivileges === true;
  const last = {
    op: "setCapabilities",
    effective: masks.effective,
    permitted: masks.permitted,
    inheritable: masks.inheritable,
  } satisfies ContainerOperation;
  const confinesPrivileged = !noNewPrivileges && (filter !== null || context.landlock.length > 0);
  const extra = confinesPrivileged ? capabilityBit("CAP_SYS_ADMIN") : 0n;
  const rlimits = planRlimits(process.rlimits ?? []);
  // Limits of open files or memory could hinder the set-up, so they come last. Raising a hard limit takes a capability of
  // the initial user namespace: only where there is no other may it be in the bounding set still to be limited.
  const rlimitsLast = makesNamespace(linux, "user");

  const operations: ContainerOperation[] = [
    ...(rlimitsLast ? [] : rlimits),
    // Before the capabilities go: it needs CAP_SETPCAP.
    { op: "limitBounding", keep: masks.bounding },
    // Before `setUser`, so that leaving user 0 does not empty the permitted set (capabilities(7)).
    { op: "keepCapabilities", value: 1 },
  ];
  // Before `setUser`: it needs CAP_SETGID. Always, even for no groups: the caller's own must go.
  if (mayCallSetgroups(linux, facts)) operations.push({ op: "setGroups", gids: additionalGids });
  operations.push(
    { op: "setUser", uid, gid },
    { op: "keepCapabilities", value: 0 },
    // After `setUser`: leaving user 0 has emptied the effective set.
    {
      op: "setCapabilities",
      effective: last.effective | extra,
      permitted: last.permitted | extra,
      inheritable: last.inheritable,
    },
    // After `setCapabilities`: ambient is a part of permitted and inheritable.
    { op: "setAmbient", mask: masks.ambient },
    // After the last change of credentials, which reset both (prctl(2)).
    { op: "setDumpable", value: 0 },
    { op: "deathSignal", signal: SIGKILL },
    // After `setUser`: the keyring belongs to the command's user. A keyring of its own keeps the caller's keys out.
    { op: "joinSessionKeyring", name: `_ses.${options.id}` },
  );
  operations.push({ op: "setUmask", mask: umask ?? DEFAULT_UMASK });
  if (process.apparmorProfile !== undefined && process.apparmorProfile !== "") {
    // Before `noNewPrivileges`, which forbids changing to a profile that is not a subset.
    operations.push({ op: "apparmorOnExec", label: process.apparmorProfile });
  }
  if (noNewPrivileges) operations.push({ op: "noNewPrivileges" });
  // After no_new_privs or with SYS_ADMIN, as landlock_restrict_self(2) demands; after every mount.
  operations.push(...context.landlock);
  // After `setUser`: the user must be allowed to be there.
  operations.push({ op: "changeDirectory", path: process.cwd, createMode: 0 });
  if (options.init) {
    operations.push({ op: "forkInit", seccompFlags: filter?.flags ?? 0, program: filter?.program ?? new Uint8Array() });
  }
  // In the command alone: PID 1 of --init must not run into them.
  if (rlimitsLast) operations.push(...rlimits);
  // Before the filter, which need not know close_range(2): it only marks, and nothing is opened any more.
  operations.push({ op: "closeDescriptors", first: 3 });
  if (filter !== null) operations.push({ op: "loadSeccomp", flags: filter.flags, program: filter.program });
  if (confinesPrivileged) operations.push(last);
  return operations;
}

function planExec(command: readonly string[], environment: readonly string[]): readonly ContainerOperation[] {
  const [name = ""] = command;
  return [{ op: "execute", candidates: commandCandidates(name, environment), arguments: command, environment }];
}

/** Where execvp(3) would look: the name itself when it has a slash, else below each directory of the container's PATH. */
export function commandCandidates(name: string, environment: readonly string[]): readonly string[] {
  if (name.includes("/") || name === "") return [name];
  const path = environment.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => (directory === "" ? name : `${directory.replace(/\/+$/, "")}/${name}`));
}

/** Docker's. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
