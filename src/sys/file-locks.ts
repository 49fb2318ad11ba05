/**
 * Advisory locks: flock(2) on whole files, and open file description locks (fcntl_locking(2)) on byte ranges. Both belong
 * to the open file, so whoever inherits the descriptor holds the lock, and it ends with the last of its descriptors.
 */

import { check, declare } from "./native-library.ts";

const flock = declare("flock", ["int", "int"]);
const fcntl = declare("fcntl", ["int", "int", "uint8_t *"]);

const LOCK_SH = 1;
const LOCK_NB = 4;
const LOCK_UN = 8;
const EWOULDBLOCK = 11;
const EACCES = 13;

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** sizeof(struct flock) where off_t has 64 bits: type, whence, padding, start, length, pid, padding. */
const FLOCK_BYTES = 32;

/** Whether somebody else holds flock(2) LOCK_EX on the open file. Asked by taking LOCK_SH, which readers can share. */
export function isLocked(descriptor: number): boolean {
  const result = flock(descriptor, LOCK_SH | LOCK_NB);
  if (result === -EWOULDBLOCK) return true;
  check(result, "flock(2)");
  check(flock(descriptor, LOCK_UN), "flock(2)");
  return false;
}

/**
 * Take an exclusive lock on `length` bytes from `start`.
 * @returns false when somebody else holds part of them.
 */
export function lockRange(descriptor: number, start: number, length: number): boolean {
  const result = fcntl(descriptor, F_OFD_SETLK, flockBytes(F_WRLCK, start, length));
  if (result === -EWOULDBLOCK || result === -EACCES) return false;
  check(result, "fcntl(F_OFD_SETLK)");
  return true;
}

/** Give back what `lockRange` took. */
export function unlockRange(descriptor: number, start: number, length: number): void {
  check(fcntl(descriptor, F_OFD_SETLK, flockBytes(F_UNLCK, start, length)), "fcntl(F_OFD_SETLK)");
}

export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

/** The byte ranges below 2^32 that others hold, in order. */
export function findLockedRanges(descriptor: number): readonly ByteRange[] {
  return lockedWithin(descriptor, 0, 2 ** 32).toSorted((a, b) => a.start - b.start);
}

/** The kernel names one lock in the way, not always the first: what lies before it and behind it is asked again. */
function lockedWithin(descriptor: number, from: number, to: number): readonly ByteRange[] {
  if (from >= to) return [];
  const bytes = flockBytes(F_WRLCK, from, to - from);
  check(fcntl(descriptor, F_OFD_GETLK, bytes), "fcntl(F_OFD_GETLK)");
  if (new Int16Array(bytes.buffer)[0] === F_UNLCK) return [];
  const [, begin = 0n, length = 0n] = new BigInt64Array(bytes.buffer);
  const start = Number(begin);
  // A length of 0 reaches to the end of the file.
  const end = length === 0n ? to : start + Number(length);
  return [
    ...lockedWithin(descriptor, from, start),
    { start, length: end - start },
    ...lockedWithin(descriptor, end, to),
  ];
}

function flockBytes(type: number, start: number, length: number): Uint8Array {
  const bytes = new ArrayBuffer(FLOCK_BYTES);
  new Int16Array(bytes)[0] = type;
  new BigInt64Array(bytes).set([BigInt(start), BigInt(length)], 1);
  return new Uint8Array(bytes);
}
