/** Extended attributes (xattr(7)) of files named by path, symlinks not followed. Their names are byte strings. */

import { check, declare, errnoName } from "./native-library.ts";
import { pathBytes } from "./path-bytes.ts";

const lsetxattr = declare("lsetxattr", ["uint8_t *", "uint8_t *", "uint8_t *", "size_t", "int"]);
const lgetxattr = declare("lgetxattr", ["uint8_t *", "uint8_t *", "_Out_ uint8_t *", "size_t"], "long");
const llistxattr = declare("llistxattr", ["uint8_t *", "_Out_ uint8_t *", "size_t"], "long");

const ENODATA = 61;
const ENOTSUP = 95;
/** Refusals of this attribute on this file: EPERM (`user.` on a symlink or device), E2BIG, EINVAL, ERANGE, ENOTSUP. */
const REFUSALS: ReadonlySet<number> = new Set([1, 7, 22, 34, ENOTSUP]);

/** Largest value and largest list of names (limits.h XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const MAX_BYTES = 65536;

/**
 * Set one attribute.
 * @returns null, or the errno's name when the file system or the file's kind has no such attribute or the value is not one of
 * it.
 */
export function setAttribute(path: string | Uint8Array, name: string, value: Uint8Array): string | null {
  const result = lsetxattr(pathBytes(path), nameBytes(name), value, value.byteLength, 0);
  if (REFUSALS.has(-result)) return errnoName(-result);
  check(result, `lsetxattr(2) "${name}"`);
  return null;
}

/** The value of an attribute, or null. */
export function readAttribute(path: string | Uint8Array, name: string): Uint8Array | null {
  const buffer = new Uint8Array(MAX_BYTES);
  const size = lgetxattr(pathBytes(path), nameBytes(name), buffer, buffer.byteLength);
  if (size === -ENODATA || size === -ENOTSUP) return null;
  return buffer.slice(0, check(size, `lgetxattr(2) "${name}"`));
}

/** The names of a file's attributes. */
export function listAttributes(path: string | Uint8Array): readonly string[] {
  const buffer = new Uint8Array(MAX_BYTES);
  const size = llistxattr(pathBytes(path), buffer, buffer.byteLength);
  if (size === -ENOTSUP) return [];
  const names = Buffer.from(buffer.subarray(0, check(size, "llistxattr(2)"))).toString("latin1");
  return names.split("\0").filter((name) => name !== "");
}

function nameBytes(name: string): Uint8Array {
  return pathBytes(Buffer.from(name, "latin1"));
}
