/** flock(2) shared or exclusive, without waiting. The lock belongs to the open file and ends with its last descriptor. */

import { check, declare } from "./native-library.ts";

const flock = declare("flock", ["int", "int"]);

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;

/** @returns false when another open file holds a lock that excludes this one. */
export function tryLockFile(descriptor: number, kind: "shared" | "exclusive"): boolean {
  const result = flock(descriptor, (kind === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB);
  if (result === -EWOULDBLOCK) return false;
  check(result, "flock(2)");
  return true;
}
