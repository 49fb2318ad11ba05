/**
 * A layer's blob as plain bytes, read and decoded in the calling thread between buffers that are used again and again: what
 * unpacking takes does not grow with the layer.
 */

import { closeSync, readSync } from "node:fs";
import type { LayerCompression } from "../../oci/descriptor.ts";
import { type StreamDecoder, openGzipDecoder, openZstdDecoder } from "../../sys/stream-decoder.ts";
import { MAX_ZSTD_WINDOW_LOG, decodingError } from "./decompress.ts";

const INPUT_BYTES = 128 * 1024;
const OUTPUT_BYTES = 256 * 1024;

export interface FileDecoder extends Disposable {
  /** Bytes of the file that have been read. */
  readonly bytesRead: number;
  /** The chunks' memory is overwritten when the next one is asked for. */
  chunks(): Iterable<Uint8Array>;
}

/**
 * Decode an open file from its beginning, and close it when disposed of. It opens libraries, and so must be called before the thread confines itself.
 * @returns null where the library for it is missing: `decompress` knows other ways.
 */
export function openFileDecoder(descriptor: number, compression: LayerCompression): FileDecoder | null {
  if (compression === "none") return new PlainFile(descriptor);
  const decoder =
    compression === "gzip"
      ? openGzipDecoder(INPUT_BYTES, OUTPUT_BYTES)
      : openZstdDecoder(INPUT_BYTES, OUTPUT_BYTES, MAX_ZSTD_WINDOW_LOG);
  return decoder === null ? null : new DecodedFile(descriptor, decoder);
}

class PlainFile implements FileDecoder {
  readonly #descriptor: number;
  bytesRead = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  *chunks(): Generator<Uint8Array> {
    const buffer = new Uint8Array(OUTPUT_BYTES);
    for (;;) {
      const length = readSync(this.#descriptor, buffer, 0, buffer.byteLength, this.bytesRead);
      if (length === 0) return;
      this.bytesRead += length;
      yield buffer.subarray(0, length);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

class DecodedFile implements FileDecoder {
  readonly #descriptor: number;
  readonly #decoder: StreamDecoder;
  bytesRead = 0;

  constructor(descriptor: number, decoder: StreamDecoder) {
    this.#descriptor = descriptor;
    this.#decoder = decoder;
  }

  *chunks(): Generator<Uint8Array> {
    const { input, output } = this.#decoder;
    for (;;) {
      const end = readSync(this.#descriptor, input, 0, input.byteLength, this.bytesRead);
      if (end === 0) break;
      this.bytesRead += end;
      let start = 0;
      let full = false;
      // A full output may have left more to come without any input.
      while (start < end || (full && !this.#decoder.complete)) {
        const { consumed, produced } = this.#decode(start, end);
        start += consumed;
        full = produced === output.byteLength;
        if (produced > 0) yield output.subarray(0, produced);
      }
    }
    if (!this.#decoder.complete) throw decodingError(new Error("unexpected end of file"));
  }

  #decode(start: number, end: number): { readonly consumed: number; readonly produced: number } {
    try {
      return this.#decoder.decode(start, end);
    } catch (cause) {
      throw decodingError(cause);
    }
  }

  [Symbol.dispose](): void {
    this.#decoder[Symbol.dispose]();
    closeSync(this.#descriptor);
  }
}
