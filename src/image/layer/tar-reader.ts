/**
 * Reads a tar archive entry by entry. Names and PAX values stay byte strings, all of GNU's sparse formats are understood,
 * what must be held in memory is bounded, and headers on which readers are known to disagree are refused, so that what was
 * scanned elsewhere is what is unpacked here. Synchronous: data goes through as it comes.
 */

import { RuntimeError } from "../../errors.ts";
import { textOfBytes } from "./entry-path.ts";
import { parsePaxRecords, parsePaxTime } from "./pax-records.ts";
import {
  MAX_SEGMENTS,
  type SparseFile,
  type SparseSegment,
  badMap,
  checkSegments,
  readSparseRecords,
  storedBytes,
} from "./sparse-map.ts";
import {
  BLOCK_BYTES,
  type HeaderBlock,
  decodeHeader,
  decodeSparseExtension,
  decodeSparseHeader,
  isZeroBlock,
} from "./tar-header.ts";
import { type Timestamp, wholeSeconds } from "./timestamp.ts";

export type EntryType = "file" | "directory" | "symlink" | "link" | "fifo" | "character-device" | "block-device";

export interface TarEntry {
  readonly type: EntryType;
  /** Byte string. */
  readonly name: string;
  /** Byte string; "" unless a link. */
  readonly linkName: string;
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes stored in the archive. */
  readonly size: number;
  readonly mtime: Timestamp;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Values are byte strings. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly sparse: SparseFile | null;
}

/** Takes the data of one entry. */
export interface EntrySink {
  /** The chunk's memory belongs to somebody else. */
  write(chunk: Uint8Array): void;
  /** All data has come. */
  end(): void;
}

/** Called for each entry; null when its data is not wanted. What it throws ends the reading. */
export type EntryHandler = (entry: TarEntry) => EntrySink | null;

/** Largest extended header or long name: what Go's reader takes (CVE-2022-2879: without a bound it fills the memory). */
const MAX_EXTENDED_BYTES = 1024 * 1024;
const MAX_ID = 0xffff_fffe;
/** PAX prefixes of extended attributes: star's, which Go and GNU tar write too; and libarchive's, with base64. */
const ATTRIBUTE_PREFIX = "SCHILY.xattr.";
const LIBARCHIVE_PREFIX = "LIBARCHIVE.xattr.";
const NO_RECORDS: ReadonlyMap<string, string> = new Map();

/** Read all of `source`. Data behind the archive's end marker is consumed and ignored. */
export async function readTar(source: AsyncIterable<Uint8Array>, handle: EntryHandler): Promise<void> {
  const reader = new TarReader(handle);
  for await (const chunk of source) reader.push(chunk);
  reader.end();
}

/** What stands before an entry and belongs to it. */
interface Preamble {
  records: ReadonlyMap<string, string> | null;
  longName: string | null;
  longLinkName: string | null;
}

/** What the coming bytes are. */
type State =
  | { readonly kind: "header"; readonly zeroBlocks: number }
  /** A PAX header or a long name. */
  | { readonly kind: "extended"; readonly flag: "x" | "L" | "K"; readonly content: Uint8Array; filled: number }
  /** More segments of a GNU sparse file. */
  | { readonly kind: "segments"; readonly header: HeaderBlock; readonly size: number; readonly found: SparseSegment[] }
  | { readonly kind: "data"; left: number; readonly size: number; readonly sink: EntrySink | null }
  /** The rest of a block. */
  | { readonly kind: "padding"; left: number }
  | { readonly kind: "past-end" };

const HEADER: State = { kind: "header", zeroBlocks: 0 };

/** Takes an archive piece by piece. */
export class TarReader {
  readonly #handle: EntryHandler;
  #state: State = HEADER;
  #preamble: Preamble = { records: null, longName: null, longLinkName: null };
  /** The beginning of a block whose rest is to come. */
  readonly #block: Uint8Array = new Uint8Array(BLOCK_BYTES);
  #blockBytes = 0;

  constructor(handle: EntryHandler) {
    this.#handle = handle;
  }

  /** The chunk's memory may be overwritten afterwards. */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.byteLength > 0) rest = this.#take(rest);
  }

  /** All of it has come. */
  end(): void {
    const { kind } = this.#state;
    if (kind === "past-end") return;
    if (kind !== "header" || this.#blockBytes > 0) throw bad("Unexpected end of data");
    this.#checkNothingWaits();
  }

  /** @returns what it left of `chunk`. */
  #take(chunk: Uint8Array): Uint8Array {
    const state = this.#state;
    switch (state.kind) {
      case "header":
      case "segments":
        return this.#takeBlock(chunk, (block) => {
          if (state.kind === "header") this.#header(block, state.zeroBlocks);
          else this.#segments(block, state);
        });
      case "extended": {
        const part = chunk.subarray(0, state.content.byteLength - state.filled);
        state.content.set(part, state.filled);
        state.filled += part.byteLength;
        if (state.filled === state.content.byteLength) this.#extended(state.flag, state.content);
        return chunk.subarray(part.byteLength);
      }
      case "data": {
        const part = chunk.subarray(0, state.left);
        const { sink } = state;
        sink?.write(part);
        state.left -= part.byteLength;
        if (state.left === 0) {
          this.#pad(state.size);
          sink?.end();
        }
        return chunk.subarray(part.byteLength);
      }
      case "padding": {
        const part = chunk.subarray(0, state.left);
        state.left -= part.byteLength;
        if (state.left === 0) this.#state = HEADER;
        return chunk.subarray(part.byteLength);
      }
      case "past-end":
        return chunk.subarray(chunk.byteLength);
    }
  }

  #takeBlock(chunk: Uint8Array, use: (block: Uint8Array) => void): Uint8Array {
    if (this.#blockBytes === 0 && chunk.byteLength >= BLOCK_BYTES) {
      use(chunk.subarray(0, BLOCK_BYTES));
      return chunk.subarray(BLOCK_BYTES);
    }
    const part = chunk.subarray(0, BLOCK_BYTES - this.#blockBytes);
    this.#block.set(part, this.#blockBytes);
    this.#blockBytes += part.byteLength;
    if (this.#blockBytes === BLOCK_BYTES) {
      this.#blockBytes = 0;
      use(this.#block);
    }
    return chunk.subarray(part.byteLength);
  }

  #header(block: Uint8Array, zeroBlocks: number): void {
    if (isZeroBlock(block)) {
      this.#checkNothingWaits();
      // Two zero blocks end an archive (POSIX pax, "ustar Interchange Format"), whatever follows.
      this.#state = zeroBlocks === 1 ? { kind: "past-end" } : { kind: "header", zeroBlocks: 1 };
      return;
    }
    if (zeroBlocks > 0) throw bad("a single zero block stands between entries");
    const header = decodeHeader(block);
    switch (header.flag) {
      case "g":
        // Docker ignores global headers; honouring their path or size would let two readers see two archives.
        this.#beginData(header.size, null);
        return;
      case "x":
      case "L":
      case "K":
        this.#beginExtended(header.flag, header.size);
        return;
      case "S": {
        if (!header.isGnu) throw bad(`"${textOfBytes(header.name)}" is GNU's sparse file in another format`);
        const { size, segments, extended } = decodeSparseHeader(block);
        if (extended) this.#state = { kind: "segments", header, size, found: [...segments] };
        else this.#beginEntry(header, { name: null, size, segments: checkSegments(segments, size) });
        return;
      }
      default:
        this.#beginEntry(header, null);
    }
  }

  #beginExtended(flag: "x" | "L" | "K", size: number): void {
    const { records, longName, longLinkName } = this.#preamble;
    if ({ x: records, L: longName, K: longLinkName }[flag] !== null) {
      throw bad("two extended headers of one kind stand before an entry");
    }
    if (size > MAX_EXTENDED_BYTES) throw bad(`an extended header of ${size} bytes`);
    if (size === 0) this.#extended(flag, new Uint8Array(0));
    else this.#state = { kind: "extended", flag, content: new Uint8Array(size), filled: 0 };
  }

  #extended(flag: "x" | "L" | "K", content: Uint8Array): void {
    const preamble = this.#preamble;
    if (flag === "x") preamble.records = parsePaxRecords(content);
    else if (flag === "L") preamble.longName = untilNul(content);
    else preamble.longLinkName = untilNul(content);
    this.#pad(content.byteLength);
  }

  #segments(block: Uint8Array, { header, size, found }: State & { readonly kind: "segments" }): void {
    const { segments, extended } = decodeSparseExtension(block);
    found.push(...segments);
    if (found.length > MAX_SEGMENTS) throw badMap(`it has more than ${MAX_SEGMENTS} segments`);
    if (!extended) this.#beginEntry(header, { name: null, size, segments: checkSegments(found, size) });
  }

  #beginEntry(header: HeaderBlock, sparse: SparseFile | null): void {
    const entry = decodeEntry(header, this.#preamble, sparse);
    this.#preamble = { records: null, longName: null, longLinkName: null };
    this.#beginData(entry.size, this.#handle(entry));
  }

  #beginData(size: number, sink: EntrySink | null): void {
    if (size > 0) {
      this.#state = { kind: "data", left: size, size, sink };
      return;
    }
    this.#state = HEADER;
    sink?.end();
  }

  /** The rest of the block that `size` bytes end in. */
  #pad(size: number): void {
    const left = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
    this.#state = left === 0 ? HEADER : { kind: "padding", left };
  }

  #checkNothingWaits(): void {
    const { records, longName, longLinkName } = this.#preamble;
    if (records === null && longName === null && longLinkName === null) return;
    throw bad("the archive ends after an extended header");
  }
}

function untilNul(content: Uint8Array): string {
  const nul = content.indexOf(0);
  return Buffer.from(nul === -1 ? content : content.subarray(0, nul)).toString("latin1");
}

function decodeEntry(header: HeaderBlock, preamble: Preamble, oldSparse: SparseFile | null): TarEntry {
  const records = preamble.records ?? NO_RECORDS;
  const sparse = oldSparse ?? readSparseRecords(records);
  const name = sparse?.name ?? onlyOne("path", records, preamble.longName) ?? header.name;
  const type = entryType(header, name);
  const linkName = onlyOne("linkpath", records, preamble.longLinkName) ?? header.linkName;
  const size = parseSize(records.get("size"), header.size);
  if (type !== "file" && size !== 0) {
    throw bad(`"${textOfBytes(name)}" is a ${type} and claims ${size} bytes of data`);
  }
  if (sparse !== null) checkSparse(sparse, type, size);
  return {
    type,
    name,
    linkName: type === "link" || type === "symlink" ? linkName : "",
    mode: header.mode & 0o7777,
    uid: parseId(records.get("uid"), header.uid),
    gid: parseId(records.get("gid"), header.gid),
    size,
    mtime: parseMtime(records.get("mtime"), header.mtime),
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    attributes: readAttributes(records),
    sparse,
  };
}

/** A PAX record, or GNU's long name. Of both, some readers take the one and some the other. An empty one counts for none. */
function onlyOne(key: string, records: ReadonlyMap<string, string>, long: string | null): string | null {
  const record = records.get(key) || null;
  if (record !== null && long !== null && record !== long) {
    throw bad(`a PAX header and a GNU header give two names: "${textOfBytes(record)}" and "${textOfBytes(long)}"`);
  }
  return record ?? (long || null);
}

function entryType({ flag }: HeaderBlock, name: string): EntryType {
  switch (flag) {
    case "0":
      // Tar before POSIX marked directories by the slash only.
      return name.endsWith("/") ? "directory" : "file";
    case "1":
      return "link";
    case "2":
      return "symlink";
    case "3":
      return "character-device";
    case "4":
      return "block-device";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    case "7":
    case "S":
      return "file";
    default:
      throw bad(`"${textOfBytes(name)}" has a type that is not supported: "${flag}"`);
  }
}

function checkSparse({ segments }: SparseFile, type: EntryType, size: number): void {
  if (type !== "file") throw badMap(`a ${type} has one`);
  if (segments !== null && storedBytes(segments) !== size) {
    throw badMap(`it lists ${storedBytes(segments)} bytes, and ${size} are stored`);
  }
}

function parseSize(record: string | undefined, field: number): number {
  if (record === undefined) return field;
  const size = /^[0-9]{1,16}$/.test(record) ? Number(record) : Number.NaN;
  if (Number.isSafeInteger(size)) return size;
  throw bad(`"${record}" is not a size`);
}

function parseId(record: string | undefined, field: number): number {
  const id = record === undefined ? field : /^[0-9]{1,10}$/.test(record) ? Number(record) : Number.NaN;
  if (id <= MAX_ID) return id;
  throw bad(`"${record ?? field}" is not a user or group id`);
}

function parseMtime(record: string | undefined, field: number): Timestamp {
  return record === undefined || record === "" ? wholeSeconds(field) : parsePaxTime(record);
}

function readAttributes(records: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (records.size === 0) return NO_RECORDS;
  const attributes = new Map<string, string>();
  for (const [key, value] of records) {
    if (key.startsWith(ATTRIBUTE_PREFIX)) attributes.set(key.slice(ATTRIBUTE_PREFIX.length), value);
    else if (key.startsWith(LIBARCHIVE_PREFIX)) {
      const name = decodeName(key.slice(LIBARCHIVE_PREFIX.length));
      if (!attributes.has(name)) attributes.set(name, Buffer.from(value, "base64").toString("latin1"));
    }
  }
  return attributes;
}

/** libarchive writes bytes outside of ASCII as %XX. */
function decodeName(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function bad(fault: string): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot read the archive: ${fault}`, { details: { fault } });
}
