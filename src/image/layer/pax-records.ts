/**
 * PAX extended header records (pax(1), "pax Header Block") as byte strings. tar-stream decodes them as UTF-8, which
 * destroys binary values such as file capabilities, and passes over malformed ones. Pure.
 */

import { RuntimeError } from "../../errors.ts";

/** Keys and values are byte strings: one character, one byte. A later record of a key wins. */
export function parsePaxRecords(block: Uint8Array): ReadonlyMap<string, string> {
  const text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString("latin1");
  const records = new Map<string, string>();
  let position = 0;
  while (position < text.length) {
    const blank = text.indexOf(" ", position);
    const digits = text.slice(position, blank === -1 ? position : blank);
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0;
    const end = position + length;
    const equals = text.indexOf("=", blank);
    if (length === 0 || end > text.length || equals === -1 || equals >= end || text[end - 1] !== "\n") {
      throw new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: a PAX header is malformed at byte ${position}`);
    }
    records.set(text.slice(blank + 1, equals), text.slice(equals + 1, end - 1));
    position = end;
  }
  return records;
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

/** `PAX` times: decimal seconds with a fraction, maybe negative. Nanoseconds are cut to what a double holds. */
export function parsePaxTime(value: string): number {
  const seconds = /^-?[0-9]+(\.[0-9]+)?$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isFinite(seconds)) return seconds;
  throw new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: "${value}" is not a time`);
}
