/**
 * The unprivileged user that the kernel tests act as, since root hides failures. An ordinary user is that user; root makes
 * one named `pycri-tests` with subordinate ids and keeps it for the next time (`userdel -r pycri-tests` removes it).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

export interface Caller {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** First subordinate ids and how many follow; null when the user has none. */
  readonly subuid: { readonly start: number; readonly count: number } | null;
  readonly subgid: { readonly start: number; readonly count: number } | null;
}

const NAME = "pycri-tests";

/** Under a lock, since test files run side by side; the range begins above every granted one. */
const MAKE_USER = `
set -eu
PATH=$PATH:/usr/sbin:/sbin
id ${NAME} >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/sh ${NAME}
touch /etc/subuid /etc/subgid
for kind in uid gid; do
  grep -q '^${NAME}:' /etc/sub$kind && continue
  first=$(awk -F: 'BEGIN { free = 524288 } $2 + $3 > free { free = $2 + $3 } END { print free }' /etc/sub$kind)
  usermod --add-sub\${kind}s $first-$((first + 65535)) ${NAME}
done
`;

function passwdEntry(name: string): { readonly uid: number; readonly gid: number; readonly home: string } {
  const fields = execFileSync("getent", ["passwd", name], { encoding: "utf8" }).trim().split(":");
  return { uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5] ?? "/" };
}

function subordinate(file: string, name: string, uid: number): { start: number; count: number } | null {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return null;
  }
  for (const line of text.split("\n")) {
    const [owner, start, count] = line.split(":");
    if (owner === name || owner === String(uid)) return { start: Number(start), count: Number(count) };
  }
  return null;
}

function findCaller(): Caller {
  let name = "";
  if (process.getuid?.() === 0) {
    const made = spawnSync("flock", ["/run/lock/pycri-tests.lock", "sh", "-c", MAKE_USER], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`cannot make the user ${NAME}: ${made.stderr}`);
    name = NAME;
  } else {
    name = userInfo().username;
  }
  const entry = passwdEntry(name);
  return {
    name,
    ...entry,
    subuid: subordinate("/etc/subuid", name, entry.uid),
    subgid: subordinate("/etc/subgid", name, entry.uid),
  };
}

export const caller: Caller = findCaller();

/** For child_process: become the caller. Empty when this process is the caller. */
export const asCaller: { readonly uid?: number; readonly gid?: number } =
  process.getuid?.() === 0 ? { uid: caller.uid, gid: caller.gid } : {};
