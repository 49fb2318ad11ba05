/**
 * gzip and zstd decoded by the C libraries that are there already: zlib in Node's own program, libzstd beside it or in the
 * system. Synchronous, between two buffers that are allocated once: memory does not grow with the stream, and no chunk
 * waits for a thread or for the garbage collector, as it does in Node's streams.
 */

import { type FixedMemory, type Prototype, findFunctions, fixedMemory } from "./native-library.ts";

/** Decodes what lies in `input` to `output`; both are overwritten again and again. */
export interface StreamDecoder extends Disposable {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /**
   * Decode the bytes of `input` from `start` to `end` until they are used up or `output` is full.
   * @throws Error with the library's words when they are damaged.
   */
  decode(start: number, end: number): DecodedPart;
  /** Between two members or frames: the input may end here. */
  readonly complete: boolean;
}

export interface DecodedPart {
  /** Bytes of the input. */
  readonly consumed: number;
  /** Bytes of the output. */
  readonly produced: number;
}

type Pointer = bigint;

/** zlib.h. */
interface Zlib {
  zlibVersion(): string;
  inflateInit2(stream: Pointer, windowBits: number, version: string, streamBytes: number): number;
  inflate(stream: Pointer, flush: number): number;
  inflateReset(stream: Pointer): number;
  inflateEnd(stream: Pointer): number;
}

const ZLIB = {
  zlibVersion: ["str", []],
  inflateInit2: ["int", ["void *", "int", "str", "int"], "inflateInit2_"],
  inflate: ["int", ["void *", "int"]],
  inflateReset: ["int", ["void *"]],
  inflateEnd: ["int", ["void *"]],
} as const satisfies Record<keyof Zlib, Prototype>;

const Z_NO_FLUSH = 0;
const Z_OK = 0;
const Z_STREAM_END = 1;
const Z_BUF_ERROR = -5;
/** The largest window, and a gzip header. */
const GZIP_WINDOW_BITS = 15 + 16;

/** z_stream where pointers and `long` have 64 bits, as on every architecture that Node is built for but 32-bit ARM. */
const Z_STREAM = { bytes: 112, nextIn: 0, availableIn: 8, nextOut: 24, availableOut: 32, message: 48 };

/** @returns null where Node's program does not offer its zlib. */
export function openGzipDecoder(inputBytes: number, outputBytes: number): StreamDecoder | null {
  if (!is64Bit()) return null;
  const zlib = findFunctions<Zlib>(null, ZLIB);
  return zlib === null ? null : new GzipDecoder(zlib, inputBytes, outputBytes);
}

class GzipDecoder implements StreamDecoder {
  readonly #zlib: Zlib;
  readonly #stream: FixedMemory = fixedMemory(Z_STREAM.bytes);
  readonly #fields: DataView = new DataView(this.#stream.bytes.buffer);
  readonly #input: FixedMemory;
  readonly #output: FixedMemory;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  complete = false;

  constructor(zlib: Zlib, inputBytes: number, outputBytes: number) {
    this.#zlib = zlib;
    this.#input = fixedMemory(inputBytes);
    this.#output = fixedMemory(outputBytes);
    this.input = this.#input.bytes;
    this.output = this.#output.bytes;
    const status = zlib.inflateInit2(this.#stream.address, GZIP_WINDOW_BITS, zlib.zlibVersion(), Z_STREAM.bytes);
    if (status !== Z_OK) throw new Error(`inflateInit2 failed with ${status}`);
  }

  decode(start: number, end: number): DecodedPart {
    if (this.complete && start < end) {
      // Zeros pad what was written to a tape; anything else is the next member (RFC 1952, 2.2).
      if (this.input[start] === 0) return { consumed: end - start, produced: 0 };
      this.#zlib.inflateReset(this.#stream.address);
      this.complete = false;
    }
    const fields = this.#fields;
    const size = this.output.byteLength;
    fields.setBigUint64(Z_STREAM.nextIn, this.#input.address + BigInt(start), LITTLE_ENDIAN);
    fields.setUint32(Z_STREAM.availableIn, end - start, LITTLE_ENDIAN);
    fields.setBigUint64(Z_STREAM.nextOut, this.#output.address, LITTLE_ENDIAN);
    fields.setUint32(Z_STREAM.availableOut, size, LITTLE_ENDIAN);
    const status = this.#zlib.inflate(this.#stream.address, Z_NO_FLUSH);
    // Z_BUF_ERROR: nothing could be done for want of input, which is no fault.
    if (status !== Z_OK && status !== Z_STREAM_END && status !== Z_BUF_ERROR) throw new Error(faultOf(status));
    this.complete = status === Z_STREAM_END;
    return {
      consumed: end - start - fields.getUint32(Z_STREAM.availableIn, LITTLE_ENDIAN),
      produced: size - fields.getUint32(Z_STREAM.availableOut, LITTLE_ENDIAN),
    };
  }

  [Symbol.dispose](): void {
    this.#zlib.inflateEnd(this.#stream.address);
  }
}

function faultOf(status: number): string {
  return status === -3 ? "the gzip data is damaged" : `inflate failed with ${status}`;
}

/** zstd.h; sizes are what fits into a JavaScript number, errors the highest numbers of size_t. */
interface Zstd {
  ZSTD_createDCtx(): Pointer;
  ZSTD_freeDCtx(context: Pointer): unknown;
  ZSTD_DCtx_setParameter(context: Pointer, parameter: number, value: number): number | bigint;
  ZSTD_decompressStream(context: Pointer, output: Pointer, input: Pointer): number | bigint;
  ZSTD_isError(code: number | bigint): number;
  ZSTD_getErrorName(code: number | bigint): string;
}

const ZSTD = {
  ZSTD_createDCtx: ["void *", []],
  ZSTD_freeDCtx: ["size_t", ["void *"]],
  ZSTD_DCtx_setParameter: ["size_t", ["void *", "int", "int"]],
  ZSTD_decompressStream: ["size_t", ["void *", "void *", "void *"]],
  ZSTD_isError: ["uint", ["size_t"]],
  ZSTD_getErrorName: ["str", ["size_t"]],
} as const satisfies Record<keyof Zstd, Prototype>;

/** Debian's dpkg needs it, systemd and most package managers elsewhere. */
const LIBZSTD = "libzstd.so.1";
const ZSTD_D_WINDOW_LOG_MAX = 100;
/** ZSTD_inBuffer and ZSTD_outBuffer: a pointer, its size, the place in it. */
const ZSTD_BUFFER = { bytes: 24, pointer: 0, size: 8, position: 16 };

/**
 * @param windowLog of the largest window that is decoded; it bounds the memory.
 * @returns null where there is no libzstd.
 */
export function openZstdDecoder(inputBytes: number, outputBytes: number, windowLog: number): StreamDecoder | null {
  if (!is64Bit()) return null;
  const zstd = findFunctions<Zstd>(null, ZSTD) ?? findFunctions<Zstd>(LIBZSTD, ZSTD);
  return zstd === null ? null : new ZstdDecoder(zstd, inputBytes, outputBytes, windowLog);
}

class ZstdDecoder implements StreamDecoder {
  readonly #zstd: Zstd;
  readonly #context: Pointer;
  readonly #input: FixedMemory;
  readonly #output: FixedMemory;
  readonly #inputBuffer: FixedMemory = fixedMemory(ZSTD_BUFFER.bytes);
  readonly #outputBuffer: FixedMemory = fixedMemory(ZSTD_BUFFER.bytes);
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  complete = false;

  constructor(zstd: Zstd, inputBytes: number, outputBytes: number, windowLog: number) {
    this.#zstd = zstd;
    this.#input = fixedMemory(inputBytes);
    this.#output = fixedMemory(outputBytes);
    this.input = this.#input.bytes;
    this.output = this.#output.bytes;
    this.#context = zstd.ZSTD_createDCtx();
    if (!this.#context) throw new Error("ZSTD_createDCtx failed");
    this.#check(zstd.ZSTD_DCtx_setParameter(this.#context, ZSTD_D_WINDOW_LOG_MAX, windowLog));
  }

  decode(start: number, end: number): DecodedPart {
    const size = this.output.byteLength;
    const input = fill(this.#inputBuffer, this.#input.address, end, start);
    const output = fill(this.#outputBuffer, this.#output.address, size, 0);
    const { address: inputAddress } = this.#inputBuffer;
    const { address: outputAddress } = this.#outputBuffer;
    const hint = this.#check(this.#zstd.ZSTD_decompressStream(this.#context, outputAddress, inputAddress));
    // 0: a frame has been decoded and written to its end.
    this.complete = hint === 0;
    return {
      consumed: Number(input.getBigUint64(ZSTD_BUFFER.position, LITTLE_ENDIAN)) - start,
      produced: Number(output.getBigUint64(ZSTD_BUFFER.position, LITTLE_ENDIAN)),
    };
  }

  #check(code: number | bigint): number {
    if (this.#zstd.ZSTD_isError(code) !== 0) throw new Error(this.#zstd.ZSTD_getErrorName(code));
    return Number(code);
  }

  [Symbol.dispose](): void {
    this.#zstd.ZSTD_freeDCtx(this.#context);
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function fill({ bytes }: FixedMemory, pointer: bigint, size: number, position: number): DataView {
  const view = new DataView(bytes.buffer);
  view.setBigUint64(ZSTD_BUFFER.pointer, pointer, LITTLE_ENDIAN);
  view.setBigUint64(ZSTD_BUFFER.size, BigInt(size), LITTLE_ENDIAN);
  view.setBigUint64(ZSTD_BUFFER.position, BigInt(position), LITTLE_ENDIAN);
  return view;
}

function is64Bit(): boolean {
  return process.arch !== "arm" && process.arch !== "ia32";
}
