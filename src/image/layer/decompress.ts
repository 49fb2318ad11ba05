/**
 * Decompression of streams, chosen by the content's first bytes, whatever a media type or file name says. (A stored blob has
 * a faster way, `decode-file.ts`.) zstd: Node's own zlib has it
 * from 22.15 on; before, the zstd program is the fast way, and fzstd (JavaScript, an eighth of the speed) the one that
 * needs nothing.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { RuntimeError } from "../../errors.ts";
import type { LayerCompression } from "../../oci/descriptor.ts";

const OUTPUT_CHUNK_BYTES: number = 256 * 1024;
/** A window of 128 MiB, what `zstd --ultra` may ask for; more is refused as zstd(1) does. */
export const MAX_ZSTD_WINDOW_LOG = 27;

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** Bytes that `detectCompression` looks at. */
export const MAGIC_BYTES: number = 4;

export function detectCompression(head: Uint8Array): LayerCompression {
  const begins = (magic: readonly number[]): boolean => magic.every((byte, index) => head[index] === byte);
  if (begins(GZIP_MAGIC)) return "gzip";
  return begins(ZSTD_MAGIC) ? "zstd" : "none";
}

/** Node's zstd stream, where this Node has one. */
type ZstdFactory = (options: {
  readonly chunkSize: number;
  readonly params: Readonly<Record<number, number>>;
}) => zlib.Gunzip;

/**
 * Decompress `source`.
 * @param zstdProgram path of zstd(1), or null. Only used where Node cannot.
 */
export function decompress(
  source: Readable,
  compression: LayerCompression,
  zstdProgram: string | null,
): AsyncIterable<Uint8Array> {
  if (compression === "none") return source;
  if (compression === "gzip") return pipeThrough(source, zlib.createGunzip({ chunkSize: OUTPUT_CHUNK_BYTES }));
  const { createZstdDecompress, constants } = zlib as unknown as {
    readonly createZstdDecompress?: ZstdFactory;
    readonly constants: Readonly<Record<string, number>>;
  };
  const windowParameter = constants["ZSTD_d_windowLogMax"];
  if (createZstdDecompress !== undefined && windowParameter !== undefined) {
    const params = { [windowParameter]: MAX_ZSTD_WINDOW_LOG };
    return pipeThrough(source, createZstdDecompress({ chunkSize: OUTPUT_CHUNK_BYTES, params }));
  }
  return zstdProgram === null ? decodeInJavaScript(source) : decodeWithProgram(source, zstdProgram);
}

async function* pipeThrough(source: Readable, decoder: zlib.Gunzip): AsyncGenerator<Uint8Array> {
  source.on("error", (error) => decoder.destroy(error));
  source.pipe(decoder);
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } catch (cause) {
    throw decodingError(cause);
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

/** Starts the program at once: the caller may be about to leave the file system that it lies in. */
function decodeWithProgram(source: Readable, program: string): AsyncIterable<Uint8Array> {
  const child = spawn(program, ["-dcq", `--long=${MAX_ZSTD_WINDOW_LOG}`], { stdio: ["pipe", "pipe", "pipe"] });
  const closed = once(child, "close") as Promise<[number | null]>;
  // Awaited below, after the output; it must not count as unhandled before.
  closed.catch(() => {});
  let message = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (message.length < 1000) message += chunk.toString("utf8");
  });
  // It ends early on damaged input; its status tells.
  child.stdin.on("error", () => {});
  source.on("error", (error) => child.stdout.destroy(error));
  source.pipe(child.stdin);
  return (async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of child.stdout) yield chunk as Uint8Array;
      const [status] = await closed;
      if (status !== 0) throw new Error(message.trim());
    } catch (cause) {
      throw decodingError(cause);
    } finally {
      source.destroy();
      child.kill();
    }
  })();
}

async function* decodeInJavaScript(source: Readable): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => ready.push(chunk));
  const feed = function* (chunk: Uint8Array, last: boolean): Generator<Uint8Array> {
    try {
      decoder.push(chunk, last);
    } catch (cause) {
      throw decodingError(cause);
    }
    const chunks = ready;
    ready = [];
    yield* chunks;
  };
  for await (const chunk of source) yield* feed(chunk as Uint8Array, false);
  yield* feed(new Uint8Array(0), true);
}

/** What the user is told of damaged data. */
export function decodingError(cause: unknown): Error {
  if (cause instanceof RuntimeError) return cause;
  return new RuntimeError("INVALID_LAYER", `Cannot decompress the layer: ${(cause as Error).message}`, { cause });
}
