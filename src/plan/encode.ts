/**
 * The wire between TypeScript and the native helper: `encodePlan` turns a `LaunchPlan` into the bytes of the plan memfd,
 * `decodeEvents` reads what the helper wrote to the events descriptor. The C side is `native/plan.c` and
 * `native/events.c`; both know the layout through `native/generated/operations.h`.
 *
 * ```
 *   plan   := u32 magic, u32 version, u32 bytes in all, u32 operations in monitor, container, cleanup,
 *             strings reporter, operation…
 *   operation := u16 code, u16 0, u32 payload bytes, field…
 *   field  := u32 | i32 | flag | slot | anchor | create    4 bytes
 *           | u64 | i64                                     8 bytes
 *           | string   u32 bytes without the NUL, bytes, NUL, padding
 *           | strings  u32 count, u32 bytes, (bytes NUL)…, padding
 *           | u32s     u32 count, u32…
 *           | bytes    u32 bytes, bytes, padding
 *   event  := u32 bytes in all, u32 kind, i32 a, i32 b, i32 c, detail
 * ```
 * Numbers are in the machine's byte order: a plan never leaves it. Everything is aligned to 4 bytes by zeroes. Strings
 * carry their NUL, so that the helper uses them where they lie.
 */

import type { LaunchEvent, LaunchPlan, OperationFailure, PlanSection } from "./launch-plan.ts";
import {
  ANCHOR,
  CONTAINER_OPERATIONS,
  CREATE,
  type FieldType,
  MONITOR_OPERATIONS,
  type Operation,
  type OperationDefinition,
  SLOT_LIMIT,
  SUPERVISE,
} from "./operations.ts";

/** "pycr" in memory on a little-endian machine; reads as another number where the byte order differs. */
export const PLAN_MAGIC = 0x72637970;

/** `kind` of an event record. */
export const EVENT_KINDS = { started: 1, exited: 2, fallback: 3, failed: 4, cleanupFailed: 5, counter: 6 } as const;

/** `a` of a failure record, in this order. */
export const PLAN_SECTIONS: readonly PlanSection[] = ["monitor", "container", "cleanup"];

/** Bytes of an event record before its detail. */
const EVENT_HEADER_BYTES = 20;

/** Revision of everything about the layout that the tables below do not show. */
const LAYOUT_REVISION = 1;

const OPERATIONS: Readonly<Record<string, OperationDefinition>> = {
  ...MONITOR_OPERATIONS,
  ...CONTAINER_OPERATIONS,
};

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

let version: number | undefined;

/** What `wireVersion` gives, inlined by the bundler. */
declare const PYCRI_WIRE_VERSION: number | undefined;

/**
 * 32 bits (FNV-1a) over the operation tables and the layout's revision. The helper was compiled with the same number or
 * refuses the plan, so that a stale helper never misreads one.
 */
export function wireVersion(): number {
  version ??= typeof PYCRI_WIRE_VERSION === "number" ? PYCRI_WIRE_VERSION : undefined;
  if (version === undefined) {
    const text = JSON.stringify([
      LAYOUT_REVISION,
      MONITOR_OPERATIONS,
      CONTAINER_OPERATIONS,
      SUPERVISE,
      ANCHOR,
      CREATE,
      SLOT_LIMIT,
      EVENT_KINDS,
      PLAN_SECTIONS,
    ]);
    let hash = 0x811c9dc5;
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
    version = hash >>> 0;
  }
  return version;
}

/** The plan as the bytes of the plan memfd. A string with a NUL or a number out of its type's range is a plain `Error`. */
export function encodePlan(plan: LaunchPlan): Uint8Array {
  const writer = new Writer();
  writer.u32(PLAN_MAGIC);
  writer.u32(wireVersion());
  const lengthAt = writer.length;
  writer.u32(0);
  writer.u32(plan.monitor.length);
  writer.u32(plan.container.length);
  writer.u32(plan.cleanup.length);
  writer.strings(plan.reporter);
  for (const section of [plan.monitor, plan.container, plan.cleanup]) {
    for (const operation of section) encodeOperation(writer, operation);
  }
  return writer.finish(lengthAt);
}

function encodeOperation(writer: Writer, operation: Operation): void {
  const definition = OPERATIONS[operation.op];
  if (definition === undefined) throw new Error(`Unknown operation "${operation.op}"`);
  writer.u16(definition.code);
  writer.u16(0);
  const lengthAt = writer.length;
  writer.u32(0);
  const values: Readonly<Record<string, unknown>> = { ...operation };
  for (const [name, type] of Object.entries(definition.fields)) {
    try {
      encodeField(writer, type, values[name]);
    } catch (cause) {
      throw new Error(`Cannot encode "${name}" of operation "${operation.op}"`, { cause });
    }
  }
  writer.patch(lengthAt, writer.length - lengthAt - 4);
}

function encodeField(writer: Writer, type: FieldType, value: unknown): void {
  switch (type) {
    case "u32":
      return writer.u32(value as number);
    case "i32":
      return writer.i32(value as number);
    case "u64":
      return writer.u64(value as bigint);
    case "i64":
      return writer.i64(value as bigint);
    case "flag":
      return writer.below(value as number, 2);
    case "slot":
      return writer.below(value as number, SLOT_LIMIT);
    case "anchor":
      return writer.below(value as number, Object.keys(ANCHOR).length);
    case "create":
      return writer.below(value as number, Object.keys(CREATE).length);
    case "string":
      return writer.string(value as string);
    case "strings":
      return writer.strings(value as readonly string[]);
    case "u32s":
      return writer.u32s(value as readonly number[]);
    case "bytes":
      return writer.bytes(value as Uint8Array);
  }
}

class Writer {
  length = 0;
  #bytes = new Uint8Array(16_384);
  #view = new DataView(this.#bytes.buffer);
  readonly #text = new TextEncoder();

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.length, value, littleEndian);
    this.length += 2;
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError(`${value} is no u32`);
    this.#reserve(4);
    this.#view.setUint32(this.length, value, littleEndian);
    this.length += 4;
  }

  i32(value: number): void {
    if ((value | 0) !== value) throw new RangeError(`${value} is no i32`);
    this.#reserve(4);
    this.#view.setInt32(this.length, value, littleEndian);
    this.length += 4;
  }

  u64(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} is no u64`);
    this.#reserve(8);
    this.#view.setBigUint64(this.length, value, littleEndian);
    this.length += 8;
  }

  i64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} is no i64`);
    this.#reserve(8);
    this.#view.setBigInt64(this.length, value, littleEndian);
    this.length += 8;
  }

  below(value: number, limit: number): void {
    if (value >= limit) throw new RangeError(`${value} is not below ${limit}`);
    this.u32(value);
  }

  string(value: string): void {
    const lengthAt = this.length;
    this.u32(0);
    const length = this.#terminated(value);
    this.patch(lengthAt, length);
    this.#pad();
  }

  strings(values: readonly string[]): void {
    this.u32(values.length);
    const lengthAt = this.length;
    this.u32(0);
    for (const value of values) this.#terminated(value);
    this.patch(lengthAt, this.length - lengthAt - 4);
    this.#pad();
  }

  u32s(values: readonly number[]): void {
    this.u32(values.length);
    for (const value of values) this.u32(value);
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
    this.#pad();
  }

  /** Overwrite the u32 at `offset`. */
  patch(offset: number, value: number): void {
    this.#view.setUint32(offset, value, littleEndian);
  }

  /** The bytes, with their number stored at `lengthAt`. */
  finish(lengthAt: number): Uint8Array {
    this.patch(lengthAt, this.length);
    return this.#bytes.subarray(0, this.length);
  }

  /** Appends the UTF-8 bytes and a NUL; returns the number of bytes before it. */
  #terminated(value: string): number {
    if (value.includes("\0")) throw new Error(`${JSON.stringify(value)} contains a NUL`);
    this.#reserve(value.length * 3 + 1);
    const { written } = this.#text.encodeInto(value, this.#bytes.subarray(this.length));
    this.length += written + 1;
    return written;
  }

  #pad(): void {
    const padded = (this.length + 3) & ~3;
    this.#reserve(padded - this.length);
    this.length = padded;
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + bytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export interface DecodedEvents {
  readonly events: readonly LaunchEvent[];
  /** Bytes that whole records took; what follows is the beginning of a record still to come. */
  readonly consumed: number;
}

/** Splits the helper's event records. A record that no helper writes is a plain `Error`. */
export function decodeEvents(bytes: Uint8Array): DecodedEvents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: LaunchEvent[] = [];
  let consumed = 0;
  while (bytes.length - consumed >= EVENT_HEADER_BYTES) {
    const length = view.getUint32(consumed, littleEndian);
    if (length < EVENT_HEADER_BYTES) throw new Error(`An event record of ${length} bytes`);
    if (bytes.length - consumed < length) break;
    const kind = view.getUint32(consumed + 4, littleEndian);
    const a = view.getInt32(consumed + 8, littleEndian);
    const b = view.getInt32(consumed + 12, littleEndian);
    const c = view.getInt32(consumed + 16, littleEndian);
    const detail = new TextDecoder().decode(bytes.subarray(consumed + EVENT_HEADER_BYTES, consumed + length));
    events.push(toEvent(kind, a, b, c, detail));
    consumed += length;
  }
  return { events, consumed };
}

function toEvent(kind: number, a: number, b: number, c: number, detail: string): LaunchEvent {
  switch (kind) {
    case EVENT_KINDS.started:
      return { event: "started", pid: a };
    case EVENT_KINDS.exited:
      return { event: "exited", exitCode: a < 0 ? null : a, signal: b < 0 ? null : b };
    case EVENT_KINDS.fallback:
      return { event: "fallback", ...toFailure(a, b, c, detail) };
    case EVENT_KINDS.failed:
      return { event: "failed", ...toFailure(a, b, c, detail) };
    case EVENT_KINDS.cleanupFailed:
      return { event: "cleanupFailed", ...toFailure(a, b, c, detail) };
    case EVENT_KINDS.counter:
      return { event: "counter", index: b, value: BigInt(detail) };
    default:
      throw new Error(`An event record of the unknown kind ${kind}`);
  }
}

function toFailure(section: number, index: number, errno: number, detail: string): OperationFailure {
  const name = PLAN_SECTIONS[section];
  if (name === undefined) throw new Error(`An event record about the unknown section ${section}`);
  return { section: name, index, errno, detail };
}
