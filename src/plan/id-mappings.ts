/**
 * The container's user and group ids: which of the caller's ids stand behind them (`--userns`, `--uidmap`), and how the
 * maps are written. user_namespaces(7) lets an unprivileged process map its own id and nothing else; everything more goes
 * through newuidmap(1) and newgidmap(1), which know /etc/subuid and /etc/subgid.
 */

import { RuntimeError } from "../errors.ts";
import { capabilityBit } from "../oci/capability-numbers.ts";
import type { Linux, LinuxIdMapping } from "../oci/spec.ts";
import { MAX_ID } from "../oci/user-database.ts";
import type { HostFacts, IdMapLine, SubordinateRange } from "./host-facts.ts";
import { makesNamespace } from "./namespaces.ts";
import type { MonitorOperation } from "./operations.ts";
import type { UserNamespaceMode } from "./run-request.ts";

/** The kernel takes 340 lines a map (user_namespaces(7), Linux 4.15). */
const MAX_LINES = 340;

/** Ids that a privileged caller without subordinate ranges maps: what Linux distributions use. */
const PRIVILEGED_IDS = 65_536;

/**
 * Where a privileged caller without subordinate ranges has ids that no user of the host is: systemd's range for containers
 * (https://systemd.io/UIDS-GIDS).
 */
const CONTAINER_IDS: SubordinateRange = { start: 524_288, count: 1_878_523_904 };

const AUTO_SIZE = 1024;

export type IdKind = "uid" | "gid";

/** Ranges of host ids that other containers of `--userns auto` hold. */
export interface AllocatedRanges {
  readonly uid: readonly SubordinateRange[];
  readonly gid: readonly SubordinateRange[];
}

export interface IdMappings {
  readonly uidMappings: readonly LinuxIdMapping[];
  readonly gidMappings: readonly LinuxIdMapping[];
  readonly warnings: readonly string[];
}

/** True when the caller may write any map of its own ids: map_write() in kernel/user_namespace.c. */
export function writesMapsItself(facts: HostFacts): boolean {
  // SETFCAP: since Linux 5.12 a map that contains the parent namespace's id 0 needs it.
  const needed = ["CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP"].map(capabilityBit);
  return needed.every((bit) => (facts.capabilities & bit) !== 0n);
}

/** Host ids the caller may map besides its own, in the order they are handed out. */
export function grantedRanges(facts: HostFacts, kind: IdKind): readonly SubordinateRange[] {
  const own = kind === "uid" ? facts.uid : facts.gid;
  const ownMap = kind === "uid" ? facts.uidMap : facts.gidMap;
  const subordinate = kind === "uid" ? facts.subuid : facts.subgid;
  if (writesMapsItself(facts)) {
    if (subordinate.length > 0) return available(subordinate, own, ownMap);
    const all = ownMap.map((line) => ({ start: line.inside, count: line.size }));
    return truncate(available(all, own, ownMap), PRIVILEGED_IDS - 1);
  }
  return lackOfTools(facts) === null ? available(subordinate, own, ownMap) : [];
}

/** Host ids that `auto` hands out: never those of the host's own users, which root's granted ones are. */
function separateRanges(facts: HostFacts, kind: IdKind): readonly SubordinateRange[] {
  const subordinate = kind === "uid" ? facts.subuid : facts.subgid;
  if (!writesMapsItself(facts) || subordinate.length > 0) return grantedRanges(facts, kind);
  const [own, ownMap] = kind === "uid" ? [facts.uid, facts.uidMap] : [facts.gid, facts.gidMap];
  return available([CONTAINER_IDS], own, ownMap);
}

/** Host ids that explicit maps may name: the kernel lets a privileged caller map every id of its own namespace. */
function mappableRanges(facts: HostFacts, kind: IdKind): readonly SubordinateRange[] {
  if (!writesMapsItself(facts)) return grantedRanges(facts, kind);
  return (kind === "uid" ? facts.uidMap : facts.gidMap).map(({ inside, size }) => ({ start: inside, count: size }));
}

/** What keeps an unprivileged caller from using subordinate ids, and its remedy; null when nothing does. */
function lackOfTools(facts: HostFacts): { readonly lack: string; readonly remedy: string } | null {
  const missing = (["newuidmap", "newgidmap"] as const).filter((name) => facts[name] === null);
  if (missing.length > 0) {
    return {
      lack: `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} not installed`,
      remedy: "Install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora).",
    };
  }
  if (facts.noNewPrivileges) {
    return {
      lack: "no_new_privs is set, under which newuidmap and newgidmap have no privilege",
      remedy: "Start pycri without it (Kubernetes: allowPrivilegeEscalation: true; systemd: NoNewPrivileges=no).",
    };
  }
  for (const name of ["newuidmap", "newgidmap"] as const) {
    const tool = facts[name];
    if (tool !== null && !tool.privileged) {
      return {
        lack: `${tool.path} has neither its setuid bit nor its file capability`,
        remedy: `Run as root: chmod u+s ${tool.path}`,
      };
    }
  }
  const user = facts.userName ?? String(facts.uid);
  for (const [file, ranges] of [
    ["/etc/subuid", facts.subuid],
    ["/etc/subgid", facts.subgid],
  ] as const) {
    if (ranges.length === 0) {
      return {
        lack: `${file} grants no ids to "${user}"`,
        remedy: `Run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`,
      };
    }
  }
  return null;
}

/** The maps of a request. `allocated` matters for `auto` only. */
export function buildIdMappings(mode: UserNamespaceMode, facts: HostFacts, allocated: AllocatedRanges): IdMappings {
  const ranges = { uid: grantedRanges(facts, "uid"), gid: grantedRanges(facts, "gid") };
  const build = (make: (kind: IdKind, own: number) => readonly LinuxIdMapping[], warnings: readonly string[] = []) => ({
    uidMappings: checked(make("uid", facts.uid), "uid"),
    gidMappings: checked(make("gid", facts.gid), "gid"),
    warnings,
  });
  switch (mode.kind) {
    case "default":
      return build((kind, own) => [...line(0, own), ...following(1, ranges[kind])], singleIdWarning(facts, ranges));
    case "single":
      return build((_kind, own) => line(0, own));
    case "keep-id": {
      const warnings = singleIdWarning(facts, ranges);
      return build((kind, own) => keepId(mode[kind] ?? own, own, ranges[kind]), warnings);
    }
    case "nomap":
      requireRanges(facts, ranges, "nomap");
      return build((kind) => following(0, ranges[kind]));
    case "auto": {
      const separate = { uid: separateRanges(facts, "uid"), gid: separateRanges(facts, "gid") };
      requireRanges(facts, separate, "auto");
      const size = mode.size ?? AUTO_SIZE;
      return build((kind) => [
        { containerID: 0, hostID: allocateRange(separate[kind], allocated[kind], size, kind), size },
      ]);
    }
    case "explicit": {
      // As Podman: one of the two flags alone speaks for both.
      const uid = mode.uidMappings.length > 0 ? mode.uidMappings : mode.gidMappings;
      const gid = mode.gidMappings.length > 0 ? mode.gidMappings : mode.uidMappings;
      const wanted = { uid, gid };
      return build((kind, own) => {
        const mappings = checked(wanted[kind], kind);
        for (const mapping of mappings) requireGranted(mapping, kind, own, mappableRanges(facts, kind), facts);
        return mappings;
      });
    }
  }
}

/**
 * The first host id of `size` consecutive ids that are granted and not allocated: first fit, in the order of the grants.
 */
export function allocateRange(
  granted: readonly SubordinateRange[],
  allocated: readonly SubordinateRange[],
  size: number,
  kind: IdKind,
): number {
  const free = allocated.reduce<readonly SubordinateRange[]>(
    (rest, taken) => rest.flatMap((r) => subtract(r, taken)),
    granted,
  );
  const fit = free.find((range) => range.count >= size);
  if (fit !== undefined) return fit.start;
  throw new RuntimeError("ID_NOT_GRANTED", `Cannot find ${size} consecutive free ${kind}s for --userns auto`, {
    hint: `Ask for fewer with --userns auto:size=N, or grant more in /etc/sub${kind}.`,
    details: { size, granted, allocated },
  });
}

/** The container's id for a host id, or undefined when it is not mapped. */
export function toContainerId(mappings: readonly LinuxIdMapping[], hostID: number): number | undefined {
  const mapping = mappings.find((entry) => hostID >= entry.hostID && hostID < entry.hostID + entry.size);
  return mapping === undefined ? undefined : mapping.containerID + (hostID - mapping.hostID);
}

/** True when the container knows this id of its own. */
export function isMapped(mappings: readonly LinuxIdMapping[], containerID: number): boolean {
  return mappings.some((entry) => containerID >= entry.containerID && containerID < entry.containerID + entry.size);
}

/** `0-999, 5000-5999`, for messages. */
export function formatContainerIds(mappings: readonly LinuxIdMapping[]): string {
  const sorted = mappings.toSorted((a, b) => a.containerID - b.containerID);
  const ranges: SubordinateRange[] = [];
  for (const { containerID, size } of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && last.start + last.count === containerID) {
      ranges[ranges.length - 1] = { start: last.start, count: last.count + size };
    } else {
      ranges.push({ start: containerID, count: size });
    }
  }
  return formatRanges(ranges);
}

/** The ids the container half works with while it builds the root filesystem. */
export interface SetupIds {
  readonly uid: number;
  readonly gid: number;
  /** False when the container half has these ids from the start. */
  readonly change: boolean;
}

/**
 * Setting up as the container's root makes what is created its own; where 0 is not mapped, the caller's id must do. A
 * process without a mapped id creates nothing at all (EOVERFLOW).
 */
export function setupIds(linux: Linux, facts: HostFacts): SetupIds {
  if (!makesNamespace(linux, "user")) return { uid: facts.uid, gid: facts.gid, change: false };
  const pick = (mappings: readonly LinuxIdMapping[], hostID: number, kind: IdKind): readonly [number, boolean] => {
    const own = toContainerId(mappings, hostID);
    if (isMapped(mappings, 0)) return [0, own !== 0];
    if (own !== undefined) return [own, false];
    throw new RuntimeError("INVALID_ARGUMENT", `The ${kind} map contains neither 0 nor the caller's own id ${hostID}`, {
      hint: `Map the container's ${kind} 0: pycri sets up the root filesystem with it.`,
    });
  };
  const [uid, changeUid] = pick(linux.uidMappings ?? [], facts.uid, "uid");
  const [gid, changeGid] = pick(linux.gidMappings ?? [], facts.gid, "gid");
  return { uid, gid, change: changeUid || changeGid };
}

/** False when the kernel refuses setgroups(2) in the container: the price of a gid map written without privilege. */
export function mayCallSetgroups(linux: Linux, facts: HostFacts): boolean {
  if (facts.setgroupsDenied) return false;
  if (!makesNamespace(linux, "user")) return (facts.capabilities & capabilityBit("CAP_SETGID")) !== 0n;
  return writesMapsItself(facts) || !isOwnIdOnly(linux.gidMappings ?? [], facts.gid);
}

/** How the monitor writes the maps of a clone with a user namespace of its own. After `clone`, before `release`. */
export function planIdMappings(linux: Linux, facts: HostFacts): readonly MonitorOperation[] {
  if (!makesNamespace(linux, "user")) return [];
  const uidMappings = checked(linux.uidMappings ?? [], "uid");
  const gidMappings = checked(linux.gidMappings ?? [], "gid");
  if (uidMappings.length === 0 || gidMappings.length === 0) {
    throw new RuntimeError("INVALID_SPEC", "A user namespace needs linux.uidMappings and linux.gidMappings");
  }
  const write = (kind: IdKind, mappings: readonly LinuxIdMapping[]): MonitorOperation => ({
    op: "writeChildProc",
    name: `${kind}_map`,
    contents: mappings.map((entry) => `${entry.containerID} ${entry.hostID} ${entry.size}\n`).join(""),
  });
  if (writesMapsItself(facts)) {
    return [
      write("uid", splitAtOwnLines(uidMappings, facts.uidMap)),
      write("gid", splitAtOwnLines(gidMappings, facts.gidMap)),
    ];
  }

  const uidAlone = isOwnIdOnly(uidMappings, facts.uid);
  const gidAlone = isOwnIdOnly(gidMappings, facts.gid);
  const operations: MonitorOperation[] = [];
  if (uidAlone) operations.push(write("uid", uidMappings));
  if (gidAlone) {
    // Before gid_map: without privilege the kernel takes it only once setgroups(2) is given up (CVE-2014-8989).
    operations.push({ op: "writeChildProc", name: "setgroups", contents: "deny" }, write("gid", gidMappings));
  }
  if (!uidAlone || !gidAlone) {
    operations.push({
      op: "runIdMapTools",
      uidTool: uidAlone ? "" : toolPath(facts, "newuidmap"),
      uidRanges: uidAlone ? [] : toolArguments(uidMappings),
      gidTool: gidAlone ? "" : toolPath(facts, "newgidmap"),
      gidRanges: gidAlone ? [] : toolArguments(gidMappings),
    });
  }
  return operations;
}

/** The kernel takes a line when one line of the caller's own map holds all of its host ids (map_id_range_down()). */
function splitAtOwnLines(mappings: readonly LinuxIdMapping[], own: readonly IdMapLine[]): readonly LinuxIdMapping[] {
  return mappings.flatMap(({ containerID, hostID, size }) => {
    const parts: LinuxIdMapping[] = [];
    for (let done = 0; done < size;) {
      const first = hostID + done;
      const holder = own.find(({ inside, size: count }) => first >= inside && first < inside + count);
      // What no line holds the kernel will refuse, in one piece.
      const room = holder === undefined ? size - done : holder.inside + holder.size - first;
      const count = Math.min(room, size - done);
      parts.push({ containerID: containerID + done, hostID: first, size: count });
      done += count;
    }
    return parts;
  });
}

function toolPath(facts: HostFacts, name: "newuidmap" | "newgidmap"): string {
  const path = facts[name]?.path;
  if (path !== undefined) return path;
  throw new RuntimeError("HOST_UNSUPPORTED", `Cannot map ids: ${name} is not installed`, {
    hint: "Install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora), or use --userns single.",
  });
}

function toolArguments(mappings: readonly LinuxIdMapping[]): readonly string[] {
  return mappings.flatMap((entry) => [entry.containerID, entry.hostID, entry.size].map(String));
}

function isOwnIdOnly(mappings: readonly LinuxIdMapping[], own: number): boolean {
  const [only, ...others] = mappings;
  return only !== undefined && others.length === 0 && only.hostID === own && only.size === 1;
}

function line(containerID: number, hostID: number): readonly LinuxIdMapping[] {
  return [{ containerID, hostID, size: 1 }];
}

/** Consecutive container ids from `first` on for the ranges, one line each. */
function following(first: number, ranges: readonly SubordinateRange[]): readonly LinuxIdMapping[] {
  let containerID = first;
  return ranges.map((range) => {
    const mapping = { containerID, hostID: range.start, size: range.count };
    containerID += range.count;
    return mapping;
  });
}

/** Container ids below `kept` from the ranges, `kept` itself for the caller's own id, the rest above. */
function keepId(kept: number, own: number, ranges: readonly SubordinateRange[]): readonly LinuxIdMapping[] {
  const below = truncate(ranges, kept);
  const above = ranges.flatMap((range) =>
    below.reduce<readonly SubordinateRange[]>((rest, used) => rest.flatMap((r) => subtract(r, used)), [range]),
  );
  return [...following(0, below), ...line(kept, own), ...following(kept + 1, above)];
}

function singleIdWarning(
  facts: HostFacts,
  ranges: { readonly uid: readonly SubordinateRange[]; readonly gid: readonly SubordinateRange[] },
): readonly string[] {
  if (ranges.uid.length > 0 && ranges.gid.length > 0) return [];
  const { lack, remedy } = lackOf(facts);
  return [`only one id is mapped, because ${lack}. ${remedy}`];
}

function requireRanges(
  facts: HostFacts,
  ranges: { readonly uid: readonly SubordinateRange[]; readonly gid: readonly SubordinateRange[] },
  mode: string,
): void {
  if (ranges.uid.length > 0 && ranges.gid.length > 0) return;
  const { lack, remedy } = lackOf(facts);
  throw new RuntimeError("ID_NOT_GRANTED", `--userns ${mode} needs subordinate ids, and ${lack}`, { hint: remedy });
}

/** Why there are no ranges: the tools, or ranges that the caller's own namespace does not contain. */
function lackOf(facts: HostFacts): { readonly lack: string; readonly remedy: string } {
  return (
    lackOfTools(facts) ?? {
      lack: "the caller's own user namespace contains none of the granted subordinate ids",
      remedy: "Give the outer container more ids, or use --userns single.",
    }
  );
}

function requireGranted(
  mapping: LinuxIdMapping,
  kind: IdKind,
  own: number,
  ranges: readonly SubordinateRange[],
  facts: HostFacts,
): void {
  const wanted = { start: mapping.hostID, count: mapping.size };
  const grants = [{ start: own, count: 1 }, ...ranges];
  const [outside] = grants.reduce<readonly SubordinateRange[]>(
    (rest, grant) => rest.flatMap((r) => subtract(r, grant)),
    [wanted],
  );
  if (outside === undefined) return;
  throw new RuntimeError(
    "ID_NOT_GRANTED",
    `Cannot map ${kind} ${outside.start} ("${mapping.containerID}:${mapping.hostID}:${mapping.size}"): granted are ${formatRanges(grants)}`,
    {
      hint: lackOfTools(facts)?.remedy ?? `Grant it to "${facts.userName ?? facts.uid}" in /etc/sub${kind}.`,
      details: { mapping, granted: grants },
    },
  );
}

/** A map the kernel accepts: neighbours joined, nothing twice on either side, within the ids and lines it allows. */
function checked(mappings: readonly LinuxIdMapping[], kind: IdKind): readonly LinuxIdMapping[] {
  for (const { containerID, hostID, size } of mappings) {
    const valid = [containerID, hostID, size].every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!valid || size < 1 || containerID + size - 1 > MAX_ID || hostID + size - 1 > MAX_ID) {
      throw new RuntimeError("INVALID_ARGUMENT", `Invalid ${kind} map "${containerID}:${hostID}:${size}"`, {
        hint: `A map is CONTAINER:HOST:SIZE with a size of 1 or more and ids up to ${MAX_ID}.`,
      });
    }
  }
  for (const side of ["containerID", "hostID"] as const) {
    const sorted = mappings.toSorted((a, b) => a[side] - b[side]);
    for (const [index, mapping] of sorted.entries()) {
      const next = sorted[index + 1];
      if (next !== undefined && mapping[side] + mapping.size > next[side]) {
        const where = side === "containerID" ? "the container" : "the host";
        throw new RuntimeError("INVALID_ARGUMENT", `The ${kind} map has the id ${next[side]} of ${where} twice`);
      }
    }
  }
  const joined = join(mappings);
  if (joined.length > MAX_LINES) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `The ${kind} map has ${joined.length} lines, and the kernel takes ${MAX_LINES}`,
    );
  }
  return joined;
}

function join(mappings: readonly LinuxIdMapping[]): readonly LinuxIdMapping[] {
  return mappings.reduce<readonly LinuxIdMapping[]>((joined, mapping) => {
    const last = joined.at(-1);
    const continues =
      last !== undefined &&
      last.containerID + last.size === mapping.containerID &&
      last.hostID + last.size === mapping.hostID;
    return continues ? [...joined.slice(0, -1), { ...last, size: last.size + mapping.size }] : [...joined, mapping];
  }, []);
}

/** `ranges` without `own`, without repetitions, and only where the caller's own namespace has the ids. */
function available(
  ranges: readonly SubordinateRange[],
  own: number,
  ownMap: readonly IdMapLine[],
): readonly SubordinateRange[] {
  const result: SubordinateRange[] = [];
  for (const range of ranges) {
    const known = ownMap.flatMap((entry) => intersect(range, { start: entry.inside, count: entry.size }));
    const used = [{ start: own, count: 1 }, ...result];
    result.push(
      ...used.reduce<readonly SubordinateRange[]>((rest, taken) => rest.flatMap((r) => subtract(r, taken)), known),
    );
  }
  return result;
}

function intersect(a: SubordinateRange, b: SubordinateRange): readonly SubordinateRange[] {
  const start = Math.max(a.start, b.start);
  const end = Math.min(a.start + a.count, b.start + b.count, MAX_ID + 1);
  return end > start ? [{ start, count: end - start }] : [];
}

function subtract(range: SubordinateRange, taken: SubordinateRange): readonly SubordinateRange[] {
  const end = range.start + range.count;
  const takenEnd = taken.start + taken.count;
  if (takenEnd <= range.start || taken.start >= end) return [range];
  return [
    { start: range.start, count: taken.start - range.start },
    { start: takenEnd, count: end - takenEnd },
  ].filter((part) => part.count > 0);
}

/** The first `count` ids of the ranges. */
function truncate(ranges: readonly SubordinateRange[], count: number): readonly SubordinateRange[] {
  let left = count;
  return ranges.flatMap((range) => {
    const size = Math.min(range.count, left);
    left -= size;
    return size > 0 ? [{ start: range.start, count: size }] : [];
  });
}

function formatRanges(ranges: readonly SubordinateRange[]): string {
  return ranges.map(({ start, count }) => (count === 1 ? String(start) : `${start}-${start + count - 1}`)).join(", ");
}
