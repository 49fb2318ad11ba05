/** Numbers and sizes as options spell them. Pure. */

import { invalidValue } from "./invalid-value.ts";

const UNITS = "bkmgtpe";

/**
 * A number of bytes: digits, perhaps a fraction, perhaps a unit b, k, m, g, t, p or e (powers of 1024, `KiB` and `kb`
 * mean the same), as Docker takes them.
 * @throws RuntimeError INVALID_ARGUMENT.
 */
export function parseSize(option: string, value: string | number): number {
  if (typeof value === "number") return requireRange(option, value, 0, Number.MAX_SAFE_INTEGER);
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgtpe]?)(?:i?b)?$/i.exec(value);
  const unit = UNITS.indexOf((match?.[2] ?? "").toLowerCase());
  const bytes = match === null ? NaN : Math.floor(Number(match[1]) * 1024 ** Math.max(0, unit));
  if (!Number.isSafeInteger(bytes)) {
    throw invalidValue(option, value, "the value is a number of bytes with an optional unit: 268435456, 256m, 1.5g");
  }
  return bytes;
}

/** A size, or −1 for none at all. */
export function parseLimit(option: string, value: string | number): number {
  return value === "-1" || value === -1 || value === "unlimited" ? -1 : parseSize(option, value);
}

/** A whole number between `least` and `most`. `whole`: the option's value that it is a part of. */
export function parseInteger(
  option: string,
  value: string | number,
  least: number,
  most: number,
  whole: string = String(value),
): number {
  if (typeof value === "number") return requireRange(option, value, least, most, whole);
  if (!/^[+-]?\d+$/.test(value)) throw invalidValue(option, whole, rangeHint(least, most));
  return requireRange(option, Number(value), least, most, whole);
}

function requireRange(option: string, value: number, least: number, most: number, whole = String(value)): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidValue(option, whole, rangeHint(least, most));
  }
  return value;
}

function rangeHint(least: number, most: number): string {
  return most >= Number.MAX_SAFE_INTEGER
    ? `the value is a whole number, at least ${least}`
    : `the value is a whole number from ${least} to ${most}`;
}

/** A decimal number, seconds or processors. */
export function parseDecimal(option: string, value: string | number): number {
  const number = typeof value === "number" ? value : /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN;
  if (!Number.isFinite(number)) throw invalidValue(option, String(value), "the value is a decimal number");
  return number;
}

/** Permission bits in octal: 022, 0755. */
export function parseOctal(option: string, value: string | number, most: number): number {
  const bits = typeof value === "number" ? value : /^[0-7]{1,5}$/.test(value) ? Number.parseInt(value, 8) : NaN;
  if (!Number.isInteger(bits) || bits < 0 || bits > most) {
    throw invalidValue(option, String(value), `the value is octal, at most 0${most.toString(8)}`);
  }
  return bits;
}
