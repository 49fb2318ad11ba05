/** Times of files to the nanosecond (utimensat(2)); Node's own calls take seconds as a floating point number. */

import { check, declare } from "./native-library.ts";
import { pathBytes } from "./path-bytes.ts";

const futimens = declare("futimens", ["int", "int64_t *"]);
const utimensat = declare("utimensat", ["int", "uint8_t *", "int64_t *", "int"]);

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const times = new BigInt64Array(4);

/** struct timespec[2]: access and modification alike. */
function timespecs({ seconds, nanoseconds }: FileTime): BigInt64Array {
  times[0] = times[2] = BigInt(seconds);
  times[1] = times[3] = BigInt(nanoseconds);
  return times;
}

export function setDescriptorTime(descriptor: number, time: FileTime): void {
  check(futimens(descriptor, timespecs(time)), "futimens(2)");
}

/** A symlink's own time is set, not its target's. */
export function setPathTime(path: string | Uint8Array, time: FileTime): void {
  check(utimensat(AT_FDCWD, pathBytes(path), timespecs(time), AT_SYMLINK_NOFOLLOW), "utimensat(2)");
}
