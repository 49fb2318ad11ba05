/**
 * PAX extended header records (pax(1), "pax Header Block") as byte strings, since file capabilities are binary and names
 * need not be UTF-8. Malformed records are errors: readers that pass over them see another archive. Pure.
 */

import { RuntimeError } from "../../errors.ts";
import type { Timestamp } from "./timestamp.ts";

/** The pairs that GNU's sparse format 0.0 repeats; here joined to the list that 0.1 has under one key. */
const SPARSE_OFFSET = "GNU.sparse.offset";
const SPARSE_LENGTH = "GNU.sparse.numbytes";
const SPARSE_MAP = "GNU.sparse.map";

/** Keys and values are byte strings: one character, one byte. A later record of a key wins. */
export function parsePaxRecords(block: Uint8Array): ReadonlyMap<string, string> {
  const text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString("latin1");
  const records = new Map<string, string>();
  const sparse: string[] = [];
  let position = 0;
  while (position < text.length) {
    const blank = text.indexOf(" ", position);
    const digits = text.slice(position, blank === -1 ? position : blank);
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0;
    const end = position + length;
    const equals = text.indexOf("=", blank);
    if (length === 0 || end > text.length || equals === -1 || equals >= end || text[end - 1] !== "\n") {
      throw malformed(position);
    }
    const key = text.slice(blank + 1, equals);
    const value = text.slice(equals + 1, end - 1);
    if (key === SPARSE_OFFSET || key === SPARSE_LENGTH) {
      const expected = sparse.length % 2 === 0 ? SPARSE_OFFSET : SPARSE_LENGTH;
      if (key !== expected || value.includes(",")) throw malformed(position);
      sparse.push(value);
    } else {
      records.set(key, value);
    }
    position = end;
  }
  if (sparse.length > 0) records.set(SPARSE_MAP, sparse.join(","));
  return records;
}

function malformed(position: number): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: a PAX header is malformed at byte ${position}`);
}

/** Encode records as `parsePaxRecords` reads them. */
export function encodePaxRecords(records: ReadonlyMap<string, string>): Uint8Array {
  const lines = [...records].map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    // The length counts its own digits.
    let length = rest.length + String(rest.length).length;
    if (String(length).length + rest.length !== length) length = rest.length + String(length).length;
    return `${length}${rest}`;
  });
  return Buffer.from(lines.join(""), "latin1");
}

/** PAX times: decimal seconds with a fraction, maybe negative. What is finer than nanoseconds is cut off. */
export function parsePaxTime(value: string): Timestamp {
  const [, sign, whole = "", fraction = ""] = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value) ?? [];
  if (sign === undefined) throw new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: "${value}" is not a time`);
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds, nanoseconds };
  // Before 1970 the fraction counts backwards, while a timespec's counts forwards.
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** As PAX writes it, without a needless fraction. */
export function formatPaxTime({ seconds, nanoseconds }: Timestamp): string {
  const before = seconds < 0 && nanoseconds > 0;
  const whole = before ? -seconds - 1 : Math.abs(seconds);
  const fraction = String(before ? 1_000_000_000 - nanoseconds : nanoseconds).padStart(9, "0");
  return `${seconds < 0 ? "-" : ""}${whole}${nanoseconds === 0 ? "" : `.${fraction.replace(/0+$/, "")}`}`;
}
