/**
 * Streams bytes into the store: hashed as they come, counted against the size that was promised, kept under their digest
 * once all of them are there and right. What is wrong is deleted.
 */

import { type Hash, createHash } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { RuntimeError } from "../../errors.ts";
import { type Descriptor, type Digest, digestAlgorithm, digestHex, makeDigest } from "../../oci/descriptor.ts";
import { fileError } from "./file-error.ts";
import { type ImageStore, digestMismatch } from "./image-store.ts";

const READ_CHUNK_BYTES = 1024 * 1024;

/** A blob whose digest and size are known beforehand. One that was interrupted earlier goes on where it stopped. */
export class BlobIngest {
  readonly #store: ImageStore;
  readonly #descriptor: Descriptor;
  readonly #path: string;
  readonly #file: FileHandle;
  #hash: Hash;
  #offset = 0;
  #discarded = false;

  private constructor(store: ImageStore, descriptor: Descriptor, path: string, file: FileHandle) {
    this.#store = store;
    this.#descriptor = descriptor;
    this.#path = path;
    this.#file = file;
    this.#hash = createHash(digestAlgorithm(descriptor.digest));
  }

  /** The caller holds the blob's lock. */
  static async open(store: ImageStore, descriptor: Descriptor): Promise<BlobIngest> {
    const path = store.path("ingest", `${digestHex(descriptor.digest)}.partial`);
    const ingest = new BlobIngest(store, descriptor, path, await open(path, "a+", 0o600));
    await ingest.#hashWhatIsThere();
    return ingest;
  }

  /** Bytes already there. */
  get offset(): number {
    return this.#offset;
  }

  async #hashWhatIsThere(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#descriptor.size) {
      await this.restart();
      return;
    }
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 1), READ_CHUNK_BYTES));
    while (this.#offset < size) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#offset += bytesRead;
    }
  }

  /** Forget what is there: the source cannot go on from the middle. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash(digestAlgorithm(this.#descriptor.digest));
    this.#offset = 0;
  }

  /** Append; more bytes than promised are DIGEST_MISMATCH. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#offset + chunk.byteLength > this.#descriptor.size) {
      await this.discard();
      throw new RuntimeError(
        "DIGEST_MISMATCH",
        `Content of "${this.#descriptor.digest}" is longer than the ${this.#descriptor.size} bytes promised`,
        { details: { expected: this.#descriptor.digest, size: this.#descriptor.size } },
      );
    }
    this.#hash.update(chunk);
    try {
      await writeWhole(this.#file, chunk);
    } catch (error) {
      // Nothing to resume from: a full disk stays full as long as this is there.
      await this.discard();
      throw fileError(error, `Cannot write "${this.#path}"`);
    }
    this.#offset += chunk.byteLength;
  }

  get complete(): boolean {
    return this.#offset === this.#descriptor.size;
  }

  /** Check size and digest and keep the blob, or delete it and throw DIGEST_MISMATCH. `source` stands in the message. */
  async commit(source: string): Promise<void> {
    const actual = this.#hash.digest("hex");
    if (!this.complete || actual !== digestHex(this.#descriptor.digest)) {
      await this.discard();
      throw digestMismatch(this.#descriptor.digest, actual, source);
    }
    await this.#store.commitBlob(this.#file, this.#path, this.#descriptor.digest);
  }

  /** Stop and leave what is there for the next attempt, unless it was discarded. */
  async suspend(): Promise<void> {
    if (this.#discarded) return;
    await this.#file.close();
  }

  /** Stop and delete. */
  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    await this.#file.close();
    await unlink(this.#path);
  }
}

export interface IngestedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** Keep a stream whose digest is not known yet, or is known as `expected`. */
export async function ingestStream(
  store: ImageStore,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: Digest | null,
  source: string,
): Promise<IngestedBlob> {
  const algorithm = expected === null ? "sha256" : digestAlgorithm(expected);
  const hash = createHash(algorithm);
  const temporary = store.temporaryPath("ingest");
  const file = await open(temporary, "wx", 0o600);
  let size = 0;
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      await writeWhole(file, chunk);
      size += chunk.byteLength;
    }
    const digest = makeDigest(algorithm, hash.digest("hex"));
    if (expected !== null && digest !== expected) throw digestMismatch(expected, digestHex(digest), source);
    if ((await store.blobSize(digest)) === size) {
      await file.close();
      await unlink(temporary);
    } else {
      await store.commitBlob(file, temporary, digest);
    }
    return { digest, size };
  } catch (error) {
    // After a failed commit the descriptor is closed already.
    await file.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw fileError(error, `Cannot write "${temporary}"`);
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.byteLength;) {
    const { bytesWritten } = await file.write(chunk, written);
    written += bytesWritten;
  }
}
