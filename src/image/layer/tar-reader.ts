/**
 * Reads a tar archive entry by entry: tar-stream, and around it what layers need beyond that library. Names and PAX
 * values stay byte strings, PAX records are read strictly, sparse maps are understood, and headers on which readers are
 * known to disagree are refused, so that what was scanned elsewhere is what is unpacked here.
 */

import { type Extract, extract } from "tar-stream";
import { RuntimeError } from "../../errors.ts";
import { textOfBytes } from "./entry-path.ts";
import { parsePaxRecords, parsePaxTime } from "./pax-records.ts";
import { type SparseFile, readSparseRecords } from "./sparse-map.ts";

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
  /** Seconds. */
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Values are byte strings. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly sparse: SparseFile | null;
}

/** Takes the data of one entry. */
export interface EntrySink {
  write(chunk: Uint8Array): void;
  /** All data has come. */
  end(): void;
}

/** Called for each entry; null when its data is not wanted. What it throws ends the reading. */
export type EntryHandler = (entry: TarEntry) => EntrySink | null;

/** What tar-stream keeps between headers; `test/unit/image/tar-reader.test.ts` notices when a version changes it. */
interface ExtractInternals {
  _header: { readonly type: string | null; readonly size: number } | null;
  _decodeLongHeader(block: Uint8Array): void;
}

interface RawHeader {
  readonly name: string;
  readonly linkname?: string | null;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: Date;
  readonly type?: string | null;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly byteOffset?: number;
}

/** The library's options, which its type declarations lack. */
const makeExtract = extract as unknown as (options: {
  readonly filenameEncoding: BufferEncoding;
  /** Accept headers from before POSIX, without magic. */
  readonly allowUnknownFormat: boolean;
}) => Extract;

const BLOCK = 512;
const MAX_ID = 0xffff_fffe;
/** PAX prefix of extended attributes: star's, which Go and GNU tar write too; and libarchive's is base64. */
const ATTRIBUTE_PREFIX = "SCHILY.xattr.";
const NO_RECORDS: ReadonlyMap<string, string> = new Map();

/** Read all of `source`. Data behind the archive's end marker is consumed and ignored. */
export async function readTar(source: AsyncIterable<Uint8Array>, handle: EntryHandler): Promise<void> {
  const reader = new TarReader(handle);
  for await (const chunk of source) await reader.write(chunk);
  await reader.end();
}

class TarReader {
  readonly #extract: Extract;
  readonly #handle: EntryHandler;
  readonly #closed: Promise<void>;
  #records: ReadonlyMap<string, string> = NO_RECORDS;
  /** Bytes of long headers since the last entry, and where that entry's data ended. */
  #longHeaderBytes = 0;
  #lastEnd = 0;
  #pastEnd = false;
  #failure: unknown;

  constructor(handle: EntryHandler) {
    this.#handle = handle;
    this.#extract = makeExtract({ filenameEncoding: "latin1", allowUnknownFormat: true });
    const internals = this.#extract as unknown as ExtractInternals;
    const decodeLongHeader = internals._decodeLongHeader.bind(this.#extract);
    internals._decodeLongHeader = (block) => {
      this.#longHeaderBytes += BLOCK + padded(block.byteLength);
      const type = internals._header?.type;
      // Docker ignores global headers; honouring their path or size would let two readers see two archives.
      if (type === "pax-global-header") return;
      if (type === "pax-header") this.#records = parsePaxRecords(block);
      decodeLongHeader(block);
    };
    this.#extract.on("entry", (header, stream, next) => {
      // The archive's own failure, which is reported once.
      stream.on("error", () => {});
      let sink: EntrySink | null = null;
      try {
        sink = this.#begin(header);
      } catch (error) {
        this.#fail(error);
        return;
      }
      stream.on("data", (chunk) => {
        try {
          sink?.write(chunk as Uint8Array);
        } catch (error) {
          this.#fail(error);
        }
      });
      stream.on("end", () => {
        try {
          sink?.end();
          next();
        } catch (error) {
          this.#fail(error);
        }
      });
    });
    this.#closed = new Promise((resolve, reject) => {
      this.#extract.on("error", (error) => {
        this.#failure ??= error;
      });
      this.#extract.on("close", () => {
        if (this.#failure === undefined) resolve();
        else reject(archiveError(this.#failure));
      });
    });
    // Whoever writes or ends awaits it; a failure in between must not count as unhandled.
    this.#closed.catch(() => {});
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#extract.destroy(error as Error);
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#pastEnd) return;
    if (this.#failure !== undefined) return this.#closed;
    if (this.#extract.write(chunk)) return;
    const drained = new Promise<void>((resolve) => {
      this.#extract.once("drain", () => {
        resolve();
      });
    });
    await Promise.race([drained, this.#closed]);
  }

  async end(): Promise<void> {
    if (this.#pastEnd && this.#failure === undefined) {
      this.#extract.destroy(null);
      return;
    }
    this.#extract.end(undefined);
    await this.#closed;
  }

  #begin(header: RawHeader): EntrySink | null {
    const records = this.#records;
    this.#records = NO_RECORDS;
    const start = header.byteOffset ?? 0;
    const gap = start - BLOCK - this.#longHeaderBytes - this.#lastEnd;
    this.#longHeaderBytes = 0;
    this.#lastEnd = start + padded(header.size ?? 0);
    if (this.#pastEnd || gap >= 2 * BLOCK) {
      // Two zero blocks end an archive (POSIX pax, "ustar Interchange Format"), whatever follows.
      this.#pastEnd = true;
      return null;
    }
    if (gap !== 0) throw new Error("a single zero block stands between entries");
    const entry = decodeEntry(header, records);
    return entry === null ? null : this.#handle(entry);
  }
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function decodeEntry(header: RawHeader, records: ReadonlyMap<string, string>): TarEntry | null {
  const sparse = readSparseRecords(records);
  const name = sparse?.name ?? (records.get("path") || header.name);
  const size = header.size ?? 0;
  const type = entryType(header, name);
  if (type !== "file" && size !== 0) {
    throw new Error(`"${textOfBytes(name)}" is a ${type} and claims ${size} bytes of data`);
  }
  const sizeRecord = records.get("size");
  if (sizeRecord !== undefined && !/^[0-9]{1,16}$/.test(sizeRecord)) throw new Error(`"${sizeRecord}" is not a size`);
  return {
    type,
    name,
    linkName: type === "link" || type === "symlink" ? records.get("linkpath") || (header.linkname ?? "") : "",
    mode: (header.mode ?? 0) & 0o7777,
    uid: parseId(records.get("uid"), header.uid),
    gid: parseId(records.get("gid"), header.gid),
    size,
    mtime: parseMtime(records.get("mtime"), header.mtime),
    deviceMajor: header.devmajor ?? 0,
    deviceMinor: header.devminor ?? 0,
    attributes: readAttributes(records),
    sparse: type === "file" ? sparse : null,
  };
}

function entryType(header: RawHeader, name: string): EntryType {
  const type = header.type;
  // Tar before POSIX marked directories by the slash only.
  if (type === "file" && name.endsWith("/")) return "directory";
  switch (type) {
    case "file":
    case "directory":
    case "symlink":
    case "link":
    case "fifo":
    case "character-device":
    case "block-device":
      return type;
    case "contiguous-file":
      return "file";
    default:
      throw new Error(
        `"${textOfBytes(name)}" has a type that is not supported (a sparse file of GNU tar's old format is one: use --format=pax)`,
      );
  }
}

function parseId(record: string | undefined, field: number | undefined): number {
  const id = record === undefined ? (field ?? 0) : /^[0-9]{1,10}$/.test(record) ? Number(record) : Number.NaN;
  if (Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
  throw new Error(`"${record ?? field}" is not a user or group id`);
}

function parseMtime(record: string | undefined, field: Date | undefined): number {
  if (record !== undefined) return parsePaxTime(record);
  const seconds = (field?.getTime() ?? 0) / 1000;
  return Number.isFinite(seconds) ? seconds : 0;
}

function readAttributes(records: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (records.size === 0) return NO_RECORDS;
  const attributes = new Map<string, string>();
  for (const [key, value] of records) {
    if (key.startsWith(ATTRIBUTE_PREFIX)) attributes.set(key.slice(ATTRIBUTE_PREFIX.length), value);
    else if (key.startsWith("LIBARCHIVE.xattr.")) {
      const name = decodeURIComponent(key.slice("LIBARCHIVE.xattr.".length));
      if (!attributes.has(name)) attributes.set(name, Buffer.from(value, "base64").toString("latin1"));
    }
  }
  return attributes;
}

/** Errors of the library and of `decodeEntry` as INVALID_LAYER; those of the handler as they are. */
function archiveError(error: unknown): unknown {
  if (error instanceof RuntimeError || (error as NodeJS.ErrnoException).syscall !== undefined) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RuntimeError("INVALID_LAYER", `Cannot read the archive: ${reason}`, { cause: error });
}
