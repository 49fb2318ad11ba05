/**
 * Decodes the header block of a tar entry: POSIX ustar, GNU's format and the one before both (tar(5), "struct posix_header",
 * "struct oldgnu_header"). Strict where readers are known to guess differently: a number that is none is an error and
 * never 0. Names are byte strings. Pure.
 */

import { RuntimeError } from "../../errors.ts";
import type { SparseSegment } from "./sparse-map.ts";

export const BLOCK_BYTES = 512;

export interface HeaderBlock {
  /** The type flag's character; "0" for a file, also where old tar wrote NUL. */
  readonly flag: string;
  readonly name: string;
  readonly linkName: string;
  /** All bits of the field. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data that follow. */
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** GNU's own format, which uses the end of the block differently. */
  readonly isGnu: boolean;
}

const CHECKSUM_OFFSET = 148;
const CHECKSUM_BYTES = 8;
const FLAG_OFFSET = 156;
const MAGIC_OFFSET = 257;
const PREFIX_OFFSET = 345;
const PREFIX_BYTES = 155;
const BLANK = 0x20;
const ZERO_DIGIT = 0x30;
const BINARY_NUMBER = 0x80;
const BINARY_SIGN = 0x40;

/** GNU's sparse files, type "S": four segments in the header, 21 in each block that follows it. */
const SPARSE_OFFSET = 386;
const SPARSE_IN_HEADER = 4;
const SPARSE_IN_EXTENSION = 21;
const SPARSE_EXTENDED_OFFSET = 482;
const SPARSE_SIZE_OFFSET = 483;
const SPARSE_NUMBER_BYTES = 12;
const EXTENSION_EXTENDED_OFFSET = 504;

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** @param block 512 bytes. */
export function decodeHeader(block: Uint8Array): HeaderBlock {
  checkSum(block);
  const magic = text(block, MAGIC_OFFSET, 8, false);
  const isGnu = magic === "ustar  \0";
  const name = text(block, 0, 100);
  const prefix = magic.startsWith("ustar\0") ? text(block, PREFIX_OFFSET, PREFIX_BYTES) : "";
  const flag = block[FLAG_OFFSET] ?? 0;
  return {
    flag: flag === 0 ? "0" : String.fromCharCode(flag),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: naturalNumber(block, 100, 8, "mode"),
    uid: naturalNumber(block, 108, 8, "user id"),
    gid: naturalNumber(block, 116, 8, "group id"),
    size: naturalNumber(block, 124, 12, "size"),
    mtime: number(block, 136, 12, "time"),
    // Before POSIX these bytes meant nothing.
    deviceMajor: magic.startsWith("ustar") ? naturalNumber(block, 329, 8, "device number") : 0,
    deviceMinor: magic.startsWith("ustar") ? naturalNumber(block, 337, 8, "device number") : 0,
    isGnu,
  };
}

export interface SparseHeader {
  /** Bytes of the file, holes included. */
  readonly size: number;
  readonly segments: readonly SparseSegment[];
  /** A block with more segments follows. */
  readonly extended: boolean;
}

/** What the header block of a GNU sparse file says. */
export function decodeSparseHeader(block: Uint8Array): SparseHeader {
  return {
    size: naturalNumber(block, SPARSE_SIZE_OFFSET, SPARSE_NUMBER_BYTES, "size"),
    segments: sparseSegments(block, SPARSE_OFFSET, SPARSE_IN_HEADER),
    extended: block[SPARSE_EXTENDED_OFFSET] !== 0,
  };
}

/** The block of further segments. */
export function decodeSparseExtension(block: Uint8Array): Omit<SparseHeader, "size"> {
  return {
    segments: sparseSegments(block, 0, SPARSE_IN_EXTENSION),
    extended: block[EXTENSION_EXTENDED_OFFSET] !== 0,
  };
}

function sparseSegments(block: Uint8Array, start: number, count: number): readonly SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * 2 * SPARSE_NUMBER_BYTES;
    // The first unused place ends the list.
    if (block[at] === 0) break;
    segments.push({
      offset: naturalNumber(block, at, SPARSE_NUMBER_BYTES, "sparse segment"),
      length: naturalNumber(block, at + SPARSE_NUMBER_BYTES, SPARSE_NUMBER_BYTES, "sparse segment"),
    });
  }
  return segments;
}

/** The sum of all bytes, its own field counted as blanks. Some old tars summed signed bytes. */
function checkSum(block: Uint8Array): void {
  let sum = CHECKSUM_BYTES * BLANK;
  let negative = 0;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    if (index === CHECKSUM_OFFSET) index += CHECKSUM_BYTES;
    const byte = block[index] as number;
    sum += byte;
    if (byte >= 0x80) negative++;
  }
  const stored = number(block, CHECKSUM_OFFSET, CHECKSUM_BYTES, "checksum");
  if (stored !== sum && stored !== sum - 0x100 * negative) throw invalid("its checksum is wrong");
}

function text(block: Uint8Array, offset: number, length: number, untilNul = true): string {
  const end = offset + length;
  const nul = untilNul ? block.indexOf(0, offset) : -1;
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  return bytes.toString("latin1", offset, nul === -1 || nul > end ? end : nul);
}

function naturalNumber(block: Uint8Array, offset: number, length: number, field: string): number {
  const value = number(block, offset, length, field);
  if (value < 0) throw invalid(`its ${field} is ${value}`);
  return value;
}

/** Octal digits between blanks, or GNU's base 256: the first bit set, then two's complement. */
function number(block: Uint8Array, offset: number, length: number, field: string): number {
  const first = block[offset] as number;
  if ((first & BINARY_NUMBER) !== 0) return binaryNumber(block.subarray(offset, offset + length), first, field);
  const end = offset + length;
  const isBlank = (index: number): boolean => block[index] === BLANK || block[index] === 0;
  let at = offset;
  while (at < end && isBlank(at)) at++;
  let value = 0;
  for (; at < end && !isBlank(at); at++) {
    const digit = (block[at] as number) - ZERO_DIGIT;
    if (digit < 0 || digit > 7) throw invalid(`its ${field} is no octal number`);
    value = value * 8 + digit;
  }
  return value;
}

function binaryNumber(bytes: Uint8Array, first: number, field: string): number {
  const negative = (first & BINARY_SIGN) !== 0;
  let value = BigInt(first & (BINARY_SIGN - 1)) - (negative ? BigInt(BINARY_SIGN) : 0n);
  for (const byte of bytes.subarray(1)) value = value * 256n + BigInt(byte);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw invalid(`its ${field} is out of range`);
  return result;
}

function invalid(fault: string): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot read the archive: Invalid tar header: ${fault}`, {
    details: { fault },
  });
}
