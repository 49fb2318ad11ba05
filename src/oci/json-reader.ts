/**
 * Reads fields out of an untrusted JSON document. A wrong type is a `RuntimeError` INVALID_DOCUMENT whose
 * `details.issues` name the field by JSON pointer. Absent and `null` mean the same: Go writes `null` for empty slices
 * and maps.
 */

import { RuntimeError } from "../errors.ts";

interface IntegerRange {
  readonly minimum: number;
  readonly maximum: number;
}

export class JsonReader {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #document: string;
  readonly #pointer: string;

  /** `document` names it in messages (`manifest sha256:…`); `pointer` is where `value` stands in it. */
  constructor(document: string, value: unknown, pointer = "") {
    this.#document = document;
    this.#pointer = pointer;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw invalid(document, pointer, "must be an object");
    }
    this.#value = value as Record<string, unknown>;
  }

  /** The error for a field with this fault. */
  issue(field: string, fault: string): RuntimeError {
    return invalid(this.#document, this.#at(field), fault);
  }

  has(field: string): boolean {
    return this.raw(field) !== undefined;
  }

  raw(field: string): unknown {
    return Object.hasOwn(this.#value, field) ? (this.#value[field] ?? undefined) : undefined;
  }

  string(field: string): string {
    const value = this.optionalString(field);
    if (value === undefined) throw this.issue(field, "is required");
    return value;
  }

  optionalString(field: string): string | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === "string") return value;
    throw this.issue(field, "must be a string");
  }

  integer(field: string, range: IntegerRange): number {
    const value = this.optionalInteger(field, range);
    if (value === undefined) throw this.issue(field, "is required");
    return value;
  }

  optionalInteger(field: string, range: IntegerRange): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < range.minimum || value > range.maximum) {
      throw this.issue(field, `must be an integer from ${range.minimum} to ${range.maximum}`);
    }
    return value;
  }

  boolean(field: string): boolean {
    const value = this.raw(field);
    if (value === undefined) return false;
    if (typeof value !== "boolean") throw this.issue(field, "must be true or false");
    return value;
  }

  /** A list of strings; absent is undefined. */
  optionalStrings(field: string): readonly string[] | undefined {
    const value = this.#list(field);
    for (const [index, item] of value?.entries() ?? []) {
      if (typeof item !== "string") throw this.issue(`${field}/${index}`, "must be a string");
    }
    return value as readonly string[] | undefined;
  }

  strings(field: string): readonly string[] {
    return this.optionalStrings(field) ?? [];
  }

  /** A map of strings; absent is empty. The result has no prototype, so that no key can reach one. */
  stringMap(field: string): Readonly<Record<string, string>> {
    const map = Object.create(null) as Record<string, string>;
    const value = this.raw(field);
    if (value === undefined) return map;
    for (const [key, item] of Object.entries(this.object(field).#value)) {
      if (typeof item !== "string") throw this.issue(`${field}/${escapePointer(key)}`, "must be a string");
      map[key] = item;
    }
    return map;
  }

  /** The keys of a map whose values mean nothing (`Volumes`, `ExposedPorts`). */
  keys(field: string): readonly string[] {
    return this.raw(field) === undefined ? [] : Object.keys(this.object(field).#value);
  }

  object(field: string): JsonReader {
    const value = this.raw(field);
    if (value === undefined) throw this.issue(field, "is required");
    return new JsonReader(this.#document, value, this.#at(field));
  }

  optionalObject(field: string): JsonReader | undefined {
    return this.raw(field) === undefined ? undefined : this.object(field);
  }

  /** A list of objects of at most `maximum` items; absent is empty. */
  objects(field: string, maximum: number): readonly JsonReader[] {
    const value = this.#list(field) ?? [];
    if (value.length > maximum) throw this.issue(field, `has ${value.length} items, more than ${maximum}`);
    return value.map((item, index) => new JsonReader(this.#document, item, this.#at(`${field}/${index}`)));
  }

  #list(field: string): readonly unknown[] | undefined {
    const value = this.raw(field);
    if (value !== undefined && !Array.isArray(value)) throw this.issue(field, "must be an array");
    return value;
  }

  #at(field: string): string {
    return `${this.#pointer}/${field}`;
  }
}

/** Parse UTF-8 JSON of at most `limit` bytes into a reader of its root object. */
export function readJson(document: string, bytes: Uint8Array, limit: number): JsonReader {
  if (bytes.byteLength > limit) {
    throw invalid(document, "", `is ${bytes.byteLength} bytes long, more than ${limit}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot read ${document}: it is not JSON`, {
      details: { issues: [{ pointer: "", message: "is not JSON" }] },
      cause,
    });
  }
  return new JsonReader(document, value);
}

function invalid(document: string, pointer: string, fault: string): RuntimeError {
  const place = pointer === "" ? "" : `"${pointer}" `;
  return new RuntimeError("INVALID_DOCUMENT", `Cannot use ${document}: ${place}${fault}`, {
    details: { issues: [{ pointer, message: fault }] },
  });
}

function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
