/** Keeps what a stream gives, up to a limit. */

import type { Readable } from "node:stream";

export interface Collector {
  /** Everything, once the stream has ended. */
  readonly bytes: Promise<Uint8Array>;
}

/** `onLimit` is called once when more than `limit` bytes have come; what lies beyond is dropped. */
export function collect(stream: Readable | null, limit: number, onLimit: () => void): Collector | null {
  if (stream === null) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    if (length > limit) return;
    chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
    if (length > limit) onLimit();
  });
  const bytes = new Promise<Uint8Array>((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () => resolve(Buffer.concat(chunks)));
  });
  // Awaited after the container's end, which may be an error of its own.
  bytes.catch(() => {});
  return { bytes };
}
