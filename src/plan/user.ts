/**
 * Who the command runs as (`--user`, `--group-add`): names and numbers resolved against the container's own passwd and
 * group files, by Docker's rules.
 */

import { RuntimeError } from "../errors.ts";
import type { LinuxIdMapping, User } from "../oci/spec.ts";
import { type GroupEntry, type PasswdEntry, parseGroup, parseId, parsePasswd } from "../oci/user-database.ts";
import type { RootFacts } from "./host-facts.ts";
import { formatContainerIds, isMapped } from "./id-mappings.ts";

export interface ResolvedUser {
  readonly user: User;
  /** From passwd; "/" for an id it does not know, as login(1). */
  readonly home: string;
}

export interface UserRequest {
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  /** When `user` is absent. */
  readonly defaultUid: number;
  readonly defaultGid: number;
  /** `--group-add`. */
  readonly additionalGroups: readonly string[];
  readonly uidMappings: readonly LinuxIdMapping[];
  readonly gidMappings: readonly LinuxIdMapping[];
  /** False when the kernel refuses setgroups(2) in the container. */
  readonly mayCallSetgroups: boolean;
}

export function resolveUser(request: UserRequest, root: RootFacts): ResolvedUser {
  const passwd = parsePasswd(root.passwd);
  const groups = parseGroup(root.group);
  const { uid, entry, gid, groupGiven } = findUser(request, passwd, groups);
  requireMapped("uid", uid, request.uidMappings);
  requireMapped("gid", gid, request.gidMappings);

  // The user's groups in /etc/group count unless the group was named: `-u web:web` means that group alone.
  const memberOf =
    groupGiven || entry === undefined
      ? []
      : groups.filter((group) => group.members.includes(entry.name) && group.gid !== gid).map((group) => group.gid);
  const added = request.additionalGroups.map((name) => findGroup(name, groups));
  for (const id of added) requireMapped("gid", id, request.gidMappings);
  if (added.length > 0 && !request.mayCallSetgroups) {
    throw new RuntimeError("ID_NOT_GRANTED", `Cannot add the group "${request.additionalGroups[0]}"`, {
      hint: "Supplementary groups need subordinate gids: see pycri doctor.",
    });
  }
  const wanted = [...memberOf.filter((id) => isMapped(request.gidMappings, id)), ...added];
  const additionalGids = request.mayCallSetgroups ? [...new Set(wanted)] : [];
  return {
    user: { uid, gid, ...(additionalGids.length > 0 ? { additionalGids } : {}) },
    home: entry === undefined || entry.home === "" ? "/" : entry.home,
  };
}

interface FoundUser {
  readonly uid: number;
  readonly gid: number;
  readonly entry: PasswdEntry | undefined;
  readonly groupGiven: boolean;
}

function findUser(request: UserRequest, passwd: readonly PasswdEntry[], groups: readonly GroupEntry[]): FoundUser {
  if (request.user === undefined) {
    const uid = request.defaultUid;
    const entry = passwd.find((candidate) => candidate.uid === uid);
    return { uid, gid: request.defaultGid, entry, groupGiven: false };
  }
  const [userPart = "", groupPart, ...more] = request.user.split(":");
  if (more.length > 0) {
    throw new RuntimeError("INVALID_ARGUMENT", `Invalid user "${request.user}"`, {
      hint: "Write user, user:group, uid or uid:gid.",
    });
  }
  // A name wins over a number: passwd(5) allows names of digits.
  const number = userPart === "" ? request.defaultUid : parseId(userPart);
  const entry =
    passwd.find((candidate) => candidate.name === userPart) ?? passwd.find((candidate) => candidate.uid === number);
  const uid = entry?.uid ?? number;
  if (uid === undefined) {
    const known = passwd.map((candidate) => candidate.name).slice(0, 10);
    throw new RuntimeError("UNKNOWN_USER", `Cannot find user "${userPart}" in the container's /etc/passwd`, {
      hint: known.length > 0 ? `Use a numeric id or one of ${known.join(", ")}.` : "Use a numeric id.",
      details: { user: request.user },
    });
  }
  const groupGiven = groupPart !== undefined && groupPart !== "";
  const gid = groupGiven ? findGroup(groupPart, groups) : (entry?.gid ?? 0);
  return { uid, gid, entry, groupGiven };
}

function findGroup(name: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((group) => group.name === name)?.gid ?? parseId(name);
  if (gid !== undefined) return gid;
  const known = groups.map((group) => group.name).slice(0, 10);
  throw new RuntimeError("UNKNOWN_USER", `Cannot find group "${name}" in the container's /etc/group`, {
    hint: known.length > 0 ? `Use a numeric id or one of ${known.join(", ")}.` : "Use a numeric id.",
    details: { group: name },
  });
}

function requireMapped(kind: "uid" | "gid", id: number, mappings: readonly LinuxIdMapping[]): void {
  if (isMapped(mappings, id)) return;
  throw new RuntimeError(
    "ID_NOT_GRANTED",
    `Cannot run with ${kind} ${id}: the container has the ${kind}s ${formatContainerIds(mappings)}`,
    {
      hint: "Grant subordinate ids in /etc/subuid and /etc/subgid (pycri doctor), or use --userns keep-id.",
      details: { kind, id, mappings },
    },
  );
}
