/**
 * Compiled seccomp filters of profiles that are not built in, by what went into them. The directory and its files are the
 * caller's own and closed to others, or they are not used; every entry carries a digest of its program.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const DIGEST_BYTES = 32;

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
  let descriptor: number;
  try {
    descriptor = openSync(`${directory}/${key}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.uid !== uid || (status.mode & 0o022) !== 0) return null;
    const entry = readFileSync(descriptor);
    const program = entry.subarray(DIGEST_BYTES);
    return Buffer.compare(sha256(program), entry.subarray(0, DIGEST_BYTES)) === 0 ? program : null;
  } finally {
    closeSync(descriptor);
  }
}

/** Add an entry. Failing is fine: the next start compiles again. */
export function writeCachedFilter(directory: string, key: string, program: Uint8Array): void {
  const temporary = `${directory}/${key}.${process.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, Buffer.concat([sha256(program), program]), { mode: 0o600, flag: "wx" });
    renameSync(temporary, `${directory}/${key}`);
  } catch {
    return;
  }
}
