/**
 * The inverse of `encodePlan`, for whoever is handed a plan's bytes and has to say what was in it: the command that
 * reports a failed launch. Layout: `encode.ts`.
 */

import { PLAN_MAGIC, wireVersion } from "./encode.ts";
import type { LaunchPlan } from "./launch-plan.ts";
import {
  CONTAINER_OPERATIONS,
  type ContainerOperation,
  type FieldType,
  MONITOR_OPERATIONS,
  type MonitorOperation,
  type Operation,
  type OperationDefinition,
} from "./operations.ts";

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The plan of `encodePlan`'s bytes. Bytes of another version or cut short are a plain `Error`. */
export function decodePlan(bytes: Uint8Array): LaunchPlan {
  const reader = new Reader(bytes);
  if (reader.u32() !== PLAN_MAGIC) throw new Error("These bytes are no launch plan");
  if (reader.u32() !== wireVersion()) throw new Error("The launch plan is of another version of pycri");
  if (reader.u32() !== bytes.length) throw new Error("The launch plan is cut short");
  const [monitor, container, cleanup] = [reader.u32(), reader.u32(), reader.u32()];
  return {
    reporter: reader.strings(),
    monitor: decodeOperations<MonitorOperation>(reader, monitor, MONITOR_OPERATIONS),
    container: decodeOperations<ContainerOperation>(reader, container, CONTAINER_OPERATIONS),
    cleanup: decodeOperations<MonitorOperation>(reader, cleanup, MONITOR_OPERATIONS),
  };
}

function decodeOperations<Kind extends Operation>(
  reader: Reader,
  count: number,
  table: Readonly<Record<string, OperationDefinition>>,
): readonly Kind[] {
  return Array.from({ length: count }, () => {
    const code = reader.u16();
    // Padding, and the bytes of the payload: its end shows by itself.
    reader.u16();
    reader.u32();
    const entry = Object.entries(table).find(([, definition]) => definition.code === code);
    if (entry === undefined) throw new Error(`The launch plan contains the unknown operation ${code}`);
    const [op, definition] = entry;
    const fields = Object.entries(definition.fields).map(([name, type]) => [name, decodeField(reader, type)] as const);
    return { op, ...Object.fromEntries(fields) } as unknown as Kind;
  });
}

function decodeField(reader: Reader, type: FieldType): unknown {
  switch (type) {
    case "u32":
    case "flag":
    case "slot":
    case "anchor":
    case "create":
      return reader.u32();
    case "i32":
      return reader.i32();
    case "u64":
      return reader.u64();
    case "i64":
      return reader.i64();
    case "string":
      return reader.string();
    case "strings":
      return reader.strings();
    case "u32s":
      return Array.from({ length: reader.u32() }, () => reader.u32());
    case "bytes":
      return reader.bytes();
  }
}

class Reader {
  #offset = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), littleEndian);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), littleEndian);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), littleEndian);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), littleEndian);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#advance(8), littleEndian);
  }

  string(): string {
    const length = this.u32();
    const start = this.#advance(length + 1);
    this.#pad();
    return this.#text.decode(this.#bytes.subarray(start, start + length));
  }

  strings(): string[] {
    const count = this.u32();
    const length = this.u32();
    const start = this.#advance(length);
    this.#pad();
    const text = this.#text.decode(this.#bytes.subarray(start, start + length));
    return text.split("\0").slice(0, count);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const start = this.#advance(length);
    this.#pad();
    return this.#bytes.slice(start, start + length);
  }

  #advance(bytes: number): number {
    const start = this.#offset;
    this.#offset += bytes;
    return start;
  }

  #pad(): void {
    this.#offset = (this.#offset + 3) & ~3;
  }
}
