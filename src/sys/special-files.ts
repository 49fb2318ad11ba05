/** Fifos and overlay whiteouts: the two kinds of special file that need no privilege (mknod(2)). */

import { check, declare } from "./native-library.ts";
import { pathBytes } from "./path-bytes.ts";

// A raw call: before 2.33 glibc exports no symbol for mknodat(2).
const mknodat = declare("syscall", ["long", "int", "uint8_t *", "uint", "uint"], "long");
const SYS_mknodat: Readonly<Record<string, number>> = { x64: 259, arm64: 33 };

const AT_FDCWD = -100;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;

export function makeFifo(path: string | Uint8Array, mode: number): void {
  check(makeNode(path, S_IFIFO | mode), "mknod(2) of a fifo");
}

/** A character device 0:0, which overlayfs reads as "deleted". Anyone may make one since Linux 5.8. */
export function makeWhiteout(path: string | Uint8Array): void {
  check(makeNode(path, S_IFCHR), "mknod(2) of a whiteout");
}

function makeNode(path: string | Uint8Array, mode: number): number {
  const number = SYS_mknodat[process.arch];
  if (number === undefined) throw new Error(`mknodat(2) has no known number on ${process.arch}`);
  return mknodat(number, AT_FDCWD, pathBytes(path), mode, 0);
}
