/**
 * The text of /etc/passwd and /etc/group (passwd(5), group(5)). Lines that do not parse are passed over, as libc does: an
 * image's author may have broken one line without breaking the container.
 */

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The largest id a process can have; 2^32−1 means "no change" to the kernel. */
export const MAX_ID = 0xffff_fffe;

/** A decimal id within the kernel's range, or undefined. */
export function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

export function parsePasswd(text: string): readonly PasswdEntry[] {
  return lines(text).flatMap((line) => {
    const [name, , uidText = "", gidText = "", , home = "", shell = ""] = line.split(":");
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (name === undefined || name === "" || uid === undefined || gid === undefined) return [];
    return [{ name, uid, gid, home, shell }];
  });
}

export function parseGroup(text: string): readonly GroupEntry[] {
  return lines(text).flatMap((line) => {
    const [name, , gidText = "", members = ""] = line.split(":");
    const gid = parseId(gidText);
    if (name === undefined || name === "" || gid === undefined) return [];
    return [{ name, gid, members: members.split(",").filter((member) => member !== "") }];
  });
}

function lines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
