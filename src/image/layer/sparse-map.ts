/**
 * GNU's sparse files (GNU tar manual, "Storing Sparse Files"): the old format of type "S", and versions 0.0, 0.1 and 1.0 in
 * PAX records. The header or the beginning of the data lists the segments that are stored; all else is a hole. Pure.
 */

import { RuntimeError } from "../../errors.ts";

export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

export interface SparseFile {
  /** The file's own name, which the header hides behind another. */
  readonly name: string | null;
  /** Bytes, holes included. */
  readonly size: number;
  /** Stored segments; null when the data begins with the map (version 1.0). */
  readonly segments: readonly SparseSegment[] | null;
}

/** As many as Go's reader takes, more or less; a map must not fill the memory (CVE-2025-58183). */
export const MAX_SEGMENTS = 65_536;
const MAX_MAP_BYTES = 1024 * 1024;
const MAX_DIGITS = 16;
const BLOCK = 512;

/** What PAX records say about sparseness, or null for an ordinary file. */
export function readSparseRecords(records: ReadonlyMap<string, string>): SparseFile | null {
  const major = records.get("GNU.sparse.major");
  const name = records.get("GNU.sparse.name") ?? null;
  if (major === "1") {
    const size = parseNumber(records.get("GNU.sparse.realsize") ?? "");
    return { name, size, segments: null };
  }
  const map = records.get("GNU.sparse.map");
  const size = records.get("GNU.sparse.size");
  if (map !== undefined && size !== undefined) {
    const realSize = parseNumber(size);
    const numbers = map === "" ? [] : map.split(",").map(parseNumber);
    if (numbers.length % 2 !== 0) throw badMap("its length is wrong");
    const segments = Array.from({ length: numbers.length / 2 }, (_, index) => ({
      offset: numbers[index * 2] ?? 0,
      length: numbers[index * 2 + 1] ?? 0,
    }));
    return { name, size: realSize, segments: checkSegments(segments, realSize) };
  }
  if (major !== undefined || size !== undefined) throw badMap("its version is unknown");
  return null;
}

/**
 * Reads the map at the beginning of version 1.0 data, which comes in pieces: lines with decimal numbers, the count of
 * segments first, filled up to a block.
 */
export class LeadingMap {
  readonly #size: number;
  #bytes = 0;
  #digits = "";
  /** The count of segments, then offsets and lengths. */
  readonly #numbers: number[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** @returns null while the map goes on; at its end the segments, and where in `data` their bytes begin. */
  read(data: Uint8Array): { readonly segments: readonly SparseSegment[]; readonly end: number } | null {
    for (let at = 0; at < data.length; at++) {
      if (this.#isComplete()) {
        // What is left of the last block.
        const end = at + ((BLOCK - (this.#bytes % BLOCK)) % BLOCK);
        if (end <= data.length) return { segments: this.#segments(), end };
        this.#bytes += data.length - at;
        return null;
      }
      this.#take(data[at] ?? 0);
    }
    return this.#isComplete() && this.#bytes % BLOCK === 0 ? { segments: this.#segments(), end: data.length } : null;
  }

  #take(byte: number): void {
    this.#bytes++;
    if (byte !== 0x0a) {
      this.#digits += String.fromCharCode(byte);
      if (this.#digits.length > MAX_DIGITS) throw badMap("a number has no end");
      return;
    }
    const number = parseNumber(this.#digits);
    this.#digits = "";
    if (this.#numbers.length === 0 && number > MAX_SEGMENTS) throw badMap(`it has ${number} segments`);
    if (this.#bytes > MAX_MAP_BYTES) throw badMap(`it is longer than ${MAX_MAP_BYTES} bytes`);
    this.#numbers.push(number);
  }

  #isComplete(): boolean {
    const [count] = this.#numbers;
    return count !== undefined && this.#numbers.length === 1 + count * 2;
  }

  #segments(): readonly SparseSegment[] {
    const [count = 0, ...numbers] = this.#numbers;
    const segments = Array.from({ length: count }, (_, index) => ({
      offset: numbers[index * 2] ?? 0,
      length: numbers[index * 2 + 1] ?? 0,
    }));
    return checkSegments(segments, this.#size);
  }
}

/** Segments in order, within the file; those without bytes are left out. */
export function checkSegments(segments: readonly SparseSegment[], size: number): readonly SparseSegment[] {
  if (segments.length > MAX_SEGMENTS) throw badMap(`it has ${segments.length} segments`);
  let position = 0;
  for (const { offset, length } of segments) {
    if (offset < position || offset + length > size) throw badMap("segments overlap or lie beyond the file's end");
    position = offset + length;
  }
  return segments.filter(({ length }) => length > 0);
}

/** Bytes that the archive stores for these segments. */
export function storedBytes(segments: readonly SparseSegment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

function parseNumber(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw badMap(`"${text.slice(0, 40)}" is not a number`);
}

export function badMap(fault: string): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: a sparse file's map is malformed: ${fault}`);
}
