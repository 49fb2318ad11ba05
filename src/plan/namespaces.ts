/**
 * Namespaces: which ones a request asks for, and how the launch makes or joins them. The user namespace comes to be in
 * the same clone3(2) as the others, so that it owns them all and the container's root has its capabilities over each.
 */

import { RuntimeError } from "../errors.ts";
import type { Linux, LinuxNamespace, NamespaceType } from "../oci/spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { ContainerOperation } from "./operations.ts";
import type { RunRequest } from "./run-request.ts";

export const CLONE_FLAG: Readonly<Record<NamespaceType, bigint>> = {
  time: 0x80n,
  mount: 0x2_0000n,
  cgroup: 0x200_0000n,
  uts: 0x400_0000n,
  ipc: 0x800_0000n,
  user: 0x1000_0000n,
  pid: 0x2000_0000n,
  network: 0x4000_0000n,
};

/** Made by the container half itself with unshare(2) instead of the clone; see `planNamespaces`. */
const UNSHARED: ReadonlySet<NamespaceType> = new Set(["cgroup", "time"]);

/** What the container half can join by path: the rest must exist before its first process does. */
const JOINABLE: ReadonlySet<NamespaceType> = new Set(["network", "ipc", "uts", "cgroup"]);

const CLOCK = { monotonic: 1, boottime: 7 } as const;

/** The namespaces of a request, for `linux.namespaces`. A shared one is simply not listed. */
export function buildNamespaces(request: RunRequest): readonly LinuxNamespace[] {
  const wanted: readonly (readonly [NamespaceType, boolean])[] = [
    ["user", true],
    ["mount", true],
    ["pid", request.pidNamespace === "private"],
    ["network", request.network === "none"],
    ["uts", request.utsNamespace === "private"],
    ["ipc", request.ipcNamespace === "private"],
    ["cgroup", request.cgroupNamespace === "private"],
    ["time", request.timeOffset !== undefined],
  ];
  return wanted.filter(([, own]) => own).map(([type]) => ({ type }));
}

/** `linux.timeOffsets` of fractional seconds: nanoseconds are never negative, so −0.5 s is −1 s and 500,000,000 ns. */
export function buildTimeOffsets(offset: NonNullable<RunRequest["timeOffset"]>): NonNullable<Linux["timeOffsets"]> {
  const split = (seconds: number): { readonly secs: number; readonly nanosecs: number } => {
    const total = Math.round(seconds * 1e9);
    const secs = Math.floor(total / 1e9);
    return { secs, nanosecs: total - secs * 1e9 };
  };
  return { monotonic: split(offset.monotonic), boottime: split(offset.boottime) };
}

/** True when the container has a namespace of its own of this type, new or joined. */
export function hasNamespace(linux: Linux, type: NamespaceType): boolean {
  return (linux.namespaces ?? []).some((namespace) => namespace.type === type);
}

/** True when the launch makes this namespace. */
export function makesNamespace(linux: Linux, type: NamespaceType): boolean {
  return (linux.namespaces ?? []).some((namespace) => namespace.type === type && namespace.path === undefined);
}

export interface NamespacePlan {
  /** CLONE_NEW* for the `clone` operation. */
  readonly cloneFlags: bigint;
  /** First thing in the container half. */
  readonly enter: readonly ContainerOperation[];
}

export function planNamespaces(linux: Linux, facts: HostFacts): NamespacePlan {
  const namespaces = linux.namespaces ?? [];
  const seen = new Set<NamespaceType>();
  for (const { type } of namespaces) {
    if (CLONE_FLAG[type] === undefined) {
      throw new RuntimeError("INVALID_SPEC", `Unknown namespace type "${String(type)}"`);
    }
    if (seen.has(type)) throw new RuntimeError("INVALID_SPEC", `The namespace "${type}" is listed twice`);
    seen.add(type);
  }
  if (seen.has("time") && !facts.hasTimeNamespaces) {
    throw new RuntimeError("HOST_UNSUPPORTED", `The kernel ${facts.kernel.release} has no time namespaces`, {
      hint: "Leave out --time-offset: it needs Linux 5.6 with CONFIG_TIME_NS.",
    });
  }
  if (!makesNamespace(linux, "mount")) {
    throw new RuntimeError("INVALID_SPEC", "A container needs a mount namespace of its own", {
      hint: 'Add {"type": "mount"} to linux.namespaces.',
    });
  }

  let cloneFlags = 0n;
  const enter: ContainerOperation[] = [];
  for (const { type, path } of namespaces) {
    if (path !== undefined) {
      if (!JOINABLE.has(type)) {
        throw new RuntimeError("INVALID_SPEC", `Cannot join the ${type} namespace "${path}"`, {
          hint: `A container can join namespaces of these types: ${[...JOINABLE].join(", ")}.`,
        });
      }
      enter.push({ op: "joinNamespace", path, type: CLONE_FLAG[type] });
    } else if (!UNSHARED.has(type)) {
      cloneFlags |= CLONE_FLAG[type];
    }
  }
  // After the monitor has moved the process into its cgroup: the namespace's root is where the process is at this moment
  // (cgroup_namespaces(7)).
  if (makesNamespace(linux, "cgroup")) enter.push({ op: "unshare", flags: CLONE_FLAG.cgroup });
  enter.push(...planTimeNamespace(linux));
  return { cloneFlags, enter };
}

/**
 * The offsets of a time namespace can be set only while no process is in it (time_namespaces(7)), so unshare(2) prepares
 * one for children, and the process enters it afterwards by setns(2).
 */
function planTimeNamespace(linux: Linux): readonly ContainerOperation[] {
  const offsets = Object.entries(linux.timeOffsets ?? {});
  if (!makesNamespace(linux, "time")) {
    if (offsets.length > 0) {
      throw new RuntimeError("INVALID_SPEC", "linux.timeOffsets needs a time namespace of the container's own");
    }
    return [];
  }
  return [
    { op: "unshare", flags: CLONE_FLAG.time },
    ...offsets.map(([name, { secs = 0, nanosecs = 0 }]): ContainerOperation => {
      if (name !== "monotonic" && name !== "boottime") {
        throw new RuntimeError("INVALID_SPEC", `Unknown clock "${name}" in linux.timeOffsets`);
      }
      return { op: "setTimeOffset", clock: CLOCK[name], seconds: BigInt(secs), nanoseconds: nanosecs };
    }),
    { op: "enterTimeNamespace" },
  ];
}
