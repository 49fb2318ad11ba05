/**
 * Compiled seccomp filters of profiles that are not built in, by what went into them. The directory and its files are the
 * caller's own and closed to others, or they are not used; every entry carries a digest of its program and of the name
 * it was written under. What is damaged, cut, exchanged or foreign counts as absent.
 */

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

const DIGEST_BYTES = 32;
/** Of a struct sock_filter. */
const INSTRUCTION_BYTES = 8;
/** The kernel takes 4,096 instructions. */
const LARGEST_ENTRY = DIGEST_BYTES + 4096 * INSTRUCTION_BYTES;

/** So many filters are kept, the oldest go first: each new kernel, build and edited profile leaves entries behind. */
export const CACHED_FILTERS: number = 256;

/** The name of a filter: the digest of everything that decides about it, each part after its length. */
export function filterKey(parts: readonly (string | Uint8Array)[]): string {
  const hash = sha256.create();
  for (const part of parts) {
    const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
    hash.update(new Uint8Array(Uint32Array.of(bytes.length).buffer));
    hash.update(bytes);
  }
  return bytesToHex(hash.digest());
}

/** @returns null when there is no entry that can be trusted. */
export function readCachedFilter(directory: string, uid: number, key: string): Uint8Array | null {
  if (!isTrustedDirectory(directory, uid)) return null;
  let descriptor: number;
  try {
    // A FIFO in place of the file must not hold us up.
    descriptor = openSync(`${directory}/${key}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || !isPrivate(status, uid) || status.size > LARGEST_ENTRY) return null;
    const entry = Buffer.alloc(status.size);
    if (readSync(descriptor, entry) !== entry.length) return null;
    const program = entry.subarray(DIGEST_BYTES);
    if (program.length === 0 || program.length % INSTRUCTION_BYTES !== 0) return null;
    return Buffer.compare(digestOf(key, program), entry.subarray(0, DIGEST_BYTES)) === 0 ? program : null;
  } finally {
    closeSync(descriptor);
  }
}

/** Add an entry. Failing is fine: the next start compiles again. */
export function writeCachedFilter(directory: string, uid: number, key: string, program: Uint8Array): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!isTrustedDirectory(directory, uid)) return;
    writeEntry(directory, key, Buffer.concat([digestOf(key, program), program]));
    removeOldest(directory);
  } catch {
    return;
  }
}

function writeEntry(directory: string, key: string, entry: Uint8Array): void {
  const temporary = `${directory}/${key}.${process.pid}`;
  try {
    // A start that was killed may have left one.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, entry, { mode: 0o600, flag: "wx" });
    renameSync(temporary, `${directory}/${key}`);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function digestOf(key: string, program: Uint8Array): Uint8Array {
  return sha256.create().update(hexToBytes(key)).update(program).digest();
}

function isTrustedDirectory(directory: string, uid: number): boolean {
  try {
    const status = lstatSync(directory);
    return status.isDirectory() && isPrivate(status, uid);
  } catch {
    return false;
  }
}

/** Only the caller could have written it. */
function isPrivate(status: Stats, uid: number): boolean {
  return status.uid === uid && (status.mode & 0o022) === 0;
}

function removeOldest(directory: string): void {
  const names = readdirSync(directory);
  if (names.length <= CACHED_FILTERS) return;
  const byAge = names
    .map((name) => ({ path: `${directory}/${name}`, time: modificationTime(`${directory}/${name}`) }))
    .sort((a, b) => a.time - b.time);
  for (const { path } of byAge.slice(0, names.length - CACHED_FILTERS)) rmSync(path, { force: true });
}

/** Another start may have removed it already. */
function modificationTime(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
