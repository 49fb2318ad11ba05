/** Unpacks one layer in the calling thread, which confines itself to the layer's directory meanwhile. */

import { createHash } from "node:crypto";
import { type ReadStream, chownSync, createReadStream, openSync, readSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { type LayerCompression, digestAlgorithm, makeDigest } from "../../oci/descriptor.ts";
import { confineTo } from "../../sys/confinement.ts";
import { openFileDecoder } from "../layer/decode-file.ts";
import { MAGIC_BYTES, decompress, detectCompression } from "../layer/decompress.ts";
import { LayerWriter } from "../layer/layer-writer.ts";
import { LayerAccount } from "../layer/limits.ts";
import { TarReader } from "../layer/tar-reader.ts";
import type { UnpackJob, UnpackReport } from "./jobs.ts";

const INPUT_CHUNK_BYTES = 256 * 1024;

export async function unpackLayer(job: UnpackJob): Promise<UnpackReport> {
  const blob = openBlob(job);
  const head = Buffer.alloc(MAGIC_BYTES);
  const headBytes = readSync(blob, head, 0, MAGIC_BYTES, 0);
  const compression = detectCompression(head.subarray(0, headBytes));
  using decoder = openFileDecoder(blob, compression);
  const stream = decoder === null ? openStream(blob, compression, job.zstdProgram) : null;
  // The caller has made it, who may be another user of the container, or none.
  chownSync(job.directory, 0, 0);
  // Before the first byte is parsed.
  using confined = confineTo(job.directory);

  const account = new LayerAccount(job.limits);
  const writer = new LayerWriter({ root: "", bottom: job.bottom, owners: job.owners, account });
  const reader = new TarReader((entry) => writer.begin(entry));
  const algorithm = job.diffId === null ? "sha256" : digestAlgorithm(job.diffId);
  const hash = createHash(algorithm);
  let size = 0;
  const take = (chunk: Uint8Array, packedBytes: number): void => {
    hash.update(chunk);
    size += chunk.byteLength;
    account.checkRatio(packedBytes, size);
    reader.push(chunk);
  };
  if (decoder !== null) for (const chunk of decoder.chunks()) take(chunk, decoder.bytesRead);
  if (stream !== null) for await (const chunk of stream.chunks) take(chunk, stream.source.bytesRead);
  reader.end();
  const diffId = makeDigest(algorithm, hash.digest("hex"));
  if (job.diffId !== null && diffId !== job.diffId) {
    throw new RuntimeError("DIGEST_MISMATCH", `The unpacked layer has digest "${diffId}", expected "${job.diffId}"`, {
      details: { expected: job.diffId, actual: diffId },
    });
  }
  return { ...writer.finish(), diffId };
}

function openStream(
  descriptor: number,
  compression: LayerCompression,
  zstdProgram: string | null,
): { readonly source: ReadStream; readonly chunks: AsyncIterable<Uint8Array> } {
  const source = createReadStream("", { fd: descriptor, start: 0, highWaterMark: INPUT_CHUNK_BYTES });
  return { source, chunks: decompress(source, compression, zstdProgram) };
}

function openBlob({ blob }: UnpackJob): number {
  try {
    return openSync(blob, "r");
  } catch (cause) {
    throw new RuntimeError("IO", `Cannot open the layer "${blob}"`, {
      hint: "The image store is damaged: run pycri system check --repair, then pull the image again.",
      cause,
    });
  }
}
