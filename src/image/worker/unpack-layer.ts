/** Unpacks one layer in the calling thread, which confines itself to the layer's directory meanwhile. */

import { createHash } from "node:crypto";
import { chownSync, createReadStream, openSync, readSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { digestAlgorithm, makeDigest } from "../../oci/descriptor.ts";
import { confineTo } from "../../sys/confinement.ts";
import { MAGIC_BYTES, decompress, detectCompression } from "../layer/decompress.ts";
import { LayerWriter } from "../layer/layer-writer.ts";
import { LayerAccount } from "../layer/limits.ts";
import { readTar } from "../layer/tar-reader.ts";
import type { UnpackJob, UnpackReport } from "./jobs.ts";

const INPUT_CHUNK_BYTES = 256 * 1024;

export async function unpackLayer(job: UnpackJob): Promise<UnpackReport> {
  const blob = openBlob(job);
  const head = Buffer.alloc(MAGIC_BYTES);
  const headBytes = readSync(blob, head, 0, MAGIC_BYTES, 0);
  const source = createReadStream("", { fd: blob, start: 0, highWaterMark: INPUT_CHUNK_BYTES });
  const chunks = decompress(source, detectCompression(head.subarray(0, headBytes)), job.zstdProgram);
  // The caller has made it, who may be another user of the container, or none.
  chownSync(job.directory, 0, 0);
  // Before the first byte is parsed.
  using confined = confineTo(job.directory);

  const account = new LayerAccount(job.limits);
  const writer = new LayerWriter({ root: "", bottom: job.bottom, owners: job.owners, account });
  const algorithm = job.diffId === null ? "sha256" : digestAlgorithm(job.diffId);
  const hash = createHash(algorithm);
  let size = 0;
  const checked = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.byteLength;
      account.checkRatio(source.bytesRead, size);
      yield chunk;
    }
  };
  await readTar(checked(), (entry) => writer.begin(entry));
  const diffId = makeDigest(algorithm, hash.digest("hex"));
  if (job.diffId !== null && diffId !== job.diffId) {
    throw new RuntimeError("DIGEST_MISMATCH", `The unpacked layer has digest "${diffId}", expected "${job.diffId}"`, {
      details: { expected: job.diffId, actual: diffId },
    });
  }
  return { ...writer.finish(), diffId };
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
