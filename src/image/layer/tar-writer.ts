/**
 * Encodes tar entries in PAX format (POSIX pax, "ustar Interchange Format"): the header block, and before it extended
 * records for what the block cannot hold. Names and attributes are bytes, not text. Pure.
 */

import { encodePaxRecords, formatPaxTime } from "./pax-records.ts";
import type { Timestamp } from "./timestamp.ts";

export interface EntryHeader {
  readonly type: "file" | "directory" | "symlink" | "link" | "fifo";
  /** Byte string. */
  readonly name: string;
  /** Byte string; "" unless a link. */
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow; 0 unless a file. */
  readonly size: number;
  readonly mtime: Timestamp;
  /** Extended attributes; values are byte strings. */
  readonly attributes: ReadonlyMap<string, string>;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const TYPE_FLAG = { file: "0", link: "1", symlink: "2", directory: "5", fifo: "6" } as const;
const PAX_FLAG = "x";

/** Two zero blocks. */
export const ARCHIVE_END: Uint8Array = new Uint8Array(2 * BLOCK);

/** Everything that stands before an entry's data. */
export function encodeEntry(header: EntryHeader): Uint8Array {
  const name = header.type === "directory" && !header.name.endsWith("/") ? `${header.name}/` : header.name;
  const records = new Map<string, string>();
  if (!fits(name)) records.set("path", name);
  if (!fits(header.linkName)) records.set("linkpath", header.linkName);
  if (header.uid > MAX_OCTAL_7) records.set("uid", String(header.uid));
  if (header.gid > MAX_OCTAL_7) records.set("gid", String(header.gid));
  if (header.size > MAX_OCTAL_11) records.set("size", String(header.size));
  const { seconds, nanoseconds } = header.mtime;
  if (nanoseconds !== 0 || seconds < 0 || seconds > MAX_OCTAL_11) records.set("mtime", formatPaxTime(header.mtime));
  for (const [key, value] of header.attributes) records.set(`SCHILY.xattr.${key}`, value);

  const block = encodeBlock({ ...header, name: name.slice(0, NAME_BYTES), flag: TYPE_FLAG[header.type] });
  if (records.size === 0) return block;
  const data = encodePaxRecords(records);
  const extended = encodeBlock({
    ...header,
    name: "PaxHeaders/entry",
    linkName: "",
    size: data.byteLength,
    flag: PAX_FLAG,
  });
  return Buffer.concat([extended, data, padding(data.byteLength), block]);
}

/** Zeros up to the next block. */
export function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** What a field of the block holds without doubt: short, and ASCII. */
function fits(text: string): boolean {
  return text.length <= NAME_BYTES && !/[^\x20-\x7e]/.test(text);
}

type Block = Omit<EntryHeader, "type" | "attributes"> & { readonly flag: string };

function encodeBlock({ name, linkName, mode, uid, gid, size, mtime, flag }: Block): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number, offset: number): void => {
    const limited = Math.min(Math.max(Math.floor(value), 0), 8 ** digits - 1);
    block.write(`${limited.toString(8).padStart(digits, "0")}\0`, offset, "latin1");
  };
  block.write(name, 0, NAME_BYTES, "latin1");
  octal(mode & 0o7777, 7, 100);
  octal(uid, 7, 108);
  octal(gid, 7, 116);
  octal(size, 11, 124);
  octal(mtime.seconds, 11, 136);
  block.write(flag, 156, "latin1");
  block.write(linkName, 157, NAME_BYTES, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  // The checksum counts its own field as blanks.
  block.fill(" ", 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
