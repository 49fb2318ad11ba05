/** openat2(2): opening files of a root filesystem so that no symlink in it leads outside. */

import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { closeDescriptor } from "./close-descriptor.ts";
import { check, declare } from "./native-library.ts";

const openat2 = declare("syscall", ["long", "long", "str", "uint8_t *", "long"], "long");

const SYS_openat2 = 437;
const O_RDONLY = 0;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const ELOOP = 40;

/** More than any passwd file of sense; a fifo or a device in its place is not read at all. */
const LARGEST_FILE = 16 * 1024 * 1024;

/** Read small text files of a root filesystem. Symlinks, absolute ones too, are resolved inside `root`. */
export function readInRoot(root: string, paths: readonly string[]): (string | null)[] {
  const directory = openSync(root, O_PATH);
  try {
    return paths.map((path) => readOne(directory, path));
  } finally {
    closeSync(directory);
  }
}

/** @returns null when the file is missing, unreadable, or no ordinary file. */
function readOne(directory: number, path: string): string | null {
  // struct open_how: flags, mode, resolve, 64 bits each.
  const how = new BigUint64Array([
    BigInt(O_RDONLY | O_CLOEXEC | O_NONBLOCK),
    0n,
    BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
  ]);
  const descriptor = openat2(SYS_openat2, directory, path, new Uint8Array(how.buffer), how.byteLength);
  if ([-ENOENT, -EACCES, -ENOTDIR, -ELOOP].includes(descriptor)) return null;
  check(descriptor, "openat2(2)");
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.size > LARGEST_FILE) return null;
    return readFileSync(descriptor, "utf8");
  } finally {
    closeDescriptor(descriptor);
  }
}
