/**
 * GNU's sparse files in PAX archives (GNU tar manual, "Storing Sparse Files"): versions 0.1 and 1.0. The header or
 * the beginning of the data lists the segments that are stored; all else is a hole. Pure.
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

const MAX_SEGMENTS = 1_000_000;
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
    return { name, size: realSize, segments: checkSegments(numbers, realSize) };
  }
  if (major !== undefined || size !== undefined) throw badMap("its version is unknown");
  return null;
}

/**
 * Read the map at the beginning of version 1.0 data.
 * @returns null when `data` does not hold all of it yet; else the segments and where their bytes begin.
 */
export function readLeadingMap(
  data: Uint8Array,
  size: number,
): { readonly segments: readonly SparseSegment[]; readonly end: number } | null {
  let position = 0;
  const next = (): number | null => {
    const end = data.indexOf(0x0a, position);
    if (end === -1) {
      if (data.length - position > 20) throw badMap("a number has no end");
      return null;
    }
    const value = parseNumber(Buffer.from(data.subarray(position, end)).toString("latin1"));
    position = end + 1;
    return value;
  };
  const count = next();
  if (count === null) return null;
  if (count > MAX_SEGMENTS) throw badMap(`it has ${count} segments`);
  const numbers: number[] = [];
  while (numbers.length < count * 2) {
    const value = next();
    if (value === null) return null;
    numbers.push(value);
  }
  const end = Math.ceil(position / BLOCK) * BLOCK;
  return data.length < end ? null : { segments: checkSegments(numbers, size), end };
}

function checkSegments(numbers: readonly number[], size: number): readonly SparseSegment[] {
  if (numbers.length % 2 !== 0 || numbers.length > MAX_SEGMENTS * 2) throw badMap("its length is wrong");
  const segments: SparseSegment[] = [];
  let position = 0;
  for (let index = 0; index < numbers.length; index += 2) {
    const offset = numbers[index] ?? 0;
    const length = numbers[index + 1] ?? 0;
    if (offset < position || offset + length > size) throw badMap("segments overlap or lie beyond the file's end");
    if (length > 0) segments.push({ offset, length });
    position = offset + length;
  }
  return segments;
}

function parseNumber(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw badMap(`"${text.slice(0, 40)}" is not a number`);
}

function badMap(fault: string): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: a sparse file's map is malformed: ${fault}`);
}
