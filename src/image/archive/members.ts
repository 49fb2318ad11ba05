/** Where the parts of archived images come from: the members of a tar stream, or the files of a layout directory. */

import { type Hash, createHash } from "node:crypto";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { type FileHandle, open, readFile, readlink, realpath, unlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestHex, makeDigest } from "../../oci/descriptor.ts";
import { MAX_DOCUMENT_BYTES } from "../../oci/manifest.ts";
import { bytesOfText, splitEntryPath, textOfBytes } from "../layer/entry-path.ts";
import type { LayerAccount } from "../layer/limits.ts";
import { type EntrySink, readTar } from "../layer/tar-reader.ts";
import { type IngestedBlob, ingestStream } from "../storage/blob-ingest.ts";
import { fileError } from "../storage/file-error.ts";
import { type ImageStore, digestMismatch } from "../storage/image-store.ts";

export interface Members extends AsyncDisposable {
  /** A document, or null when there is no such member. */
  read(path: string): Promise<Uint8Array | null>;
  /** Put a member into the store, or null. `expected`: the digest it must have, where that is known. */
  keep(path: string, expected: Digest | null): Promise<IngestedBlob | null>;
}

interface StagedMember extends IngestedBlob {
  /** A file in `ingest`. */
  readonly temporary: string;
}

/**
 * Read a tar stream to its end. Every file is written and hashed as it passes, since only the last member may tell which
 * ones matter; what `keep` is not asked for is deleted on disposal. `account` bounds all of it together.
 */
export async function readTarMembers(
  store: ImageStore,
  archive: AsyncIterable<Uint8Array>,
  source: string,
  account: LayerAccount,
): Promise<Members> {
  const staged = new Map<string, StagedMember>();
  const links = new Map<string, string>();
  const temporaries: string[] = [];
  const removeTemporaries = async (): Promise<void> => {
    for (const path of temporaries) {
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
  };
  try {
    await readTar(archive, (entry) => {
      account.addEntry();
      const path = splitEntryPath(entry.name).join("/");
      if (entry.type === "symlink" || entry.type === "link") {
        // `docker save` before 25 writes a layer that two images share once, and a symlink to it.
        const target = entry.type === "link" ? entry.linkName : posix.join(posix.dirname(path), entry.linkName);
        links.set(textOfBytes(path), textOfBytes(posix.normalize(target)));
        return null;
      }
      if (entry.type !== "file") return null;
      if (entry.sparse !== null) throw badMember(textOfBytes(path), source, "is a sparse file");
      account.addFile(entry.size);
      const temporary = store.temporaryPath("ingest");
      temporaries.push(temporary);
      return new MemberSink(temporary, (member) => void staged.set(textOfBytes(path), member));
    });
  } catch (error) {
    await removeTemporaries();
    throw error;
  }
  const find = (path: string): StagedMember | undefined => staged.get(path) ?? staged.get(links.get(path) ?? "");
  return {
    read: async (path) => {
      const member = find(path);
      if (member === undefined) return null;
      if (member.size > MAX_DOCUMENT_BYTES) throw tooLong(path, source);
      const kept = (await store.blobSize(member.digest)) !== null;
      return readFile(kept ? store.blobPath(member.digest) : member.temporary);
    },
    keep: async (path, expected) => {
      const member = find(path);
      if (member === undefined) return null;
      if (expected !== null && member.digest !== expected) {
        throw digestMismatch(expected, digestHex(member.digest), `"${path}" in ${source}`);
      }
      if ((await store.blobSize(member.digest)) !== member.size) {
        await store.commitBlob(await open(member.temporary, "r"), member.temporary, member.digest);
      }
      return { digest: member.digest, size: member.size };
    },
    [Symbol.asyncDispose]: removeTemporaries,
  };
}

class MemberSink implements EntrySink {
  readonly #temporary: string;
  readonly #descriptor: number;
  readonly #done: (member: StagedMember) => void;
  readonly #hash: Hash = createHash("sha256");
  #size = 0;

  constructor(temporary: string, done: (member: StagedMember) => void) {
    this.#temporary = temporary;
    this.#done = done;
    this.#descriptor = openSync(temporary, "wx", 0o600);
  }

  write(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#size += chunk.byteLength;
    try {
      for (let written = 0; written < chunk.byteLength;) written += writeSync(this.#descriptor, chunk, written);
    } catch (error) {
      closeSync(this.#descriptor);
      throw fileError(error, `Cannot write "${this.#temporary}"`);
    }
  }

  end(): void {
    closeSync(this.#descriptor);
    const digest = makeDigest("sha256", this.#hash.digest("hex"));
    this.#done({ digest, size: this.#size, temporary: this.#temporary });
  }
}

/**
 * The files of a directory with an OCI image layout. What a document names is a regular file in that directory: neither
 * ".." nor a symlink leads to others, since not everything is checked against a digest.
 */
export function directoryMembers(store: ImageStore, directory: string): Members {
  const source = `"${directory}"`;
  return {
    read: async (path) => {
      const file = await openMember(directory, path, source);
      if (file === null) return null;
      try {
        const { size } = await file.stat();
        if (size > MAX_DOCUMENT_BYTES) throw tooLong(path, source);
        return await file.readFile();
      } finally {
        await file.close();
      }
    },
    keep: async (path, expected) => {
      const file = await openMember(directory, path, source);
      if (file === null) return null;
      try {
        const { size } = await file.stat();
        if (expected !== null && (await store.blobSize(expected)) === size) return { digest: expected, size };
        return await ingestStream(store, file.createReadStream({ autoClose: false }), expected, source);
      } finally {
        await file.close();
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openMember(directory: string, path: string, source: string): Promise<FileHandle | null> {
  const components = splitEntryPath(bytesOfText(path));
  const file = await openIfPresent(join(directory, ...components.map(textOfBytes)));
  if (file === null) return null;
  try {
    // The path that was opened, whatever the directory's owner changes meanwhile.
    const [opened, root] = await Promise.all([readlink(`/proc/self/fd/${file.fd}`), realpath(directory)]);
    if (!(await file.stat()).isFile()) throw badMember(path, source, "is no regular file");
    if (!opened.startsWith(`${root}/`)) throw badMember(path, source, `leads outside, to "${opened}"`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openIfPresent(path: string): Promise<FileHandle | null> {
  try {
    // A fifo without a writer must not be waited for.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function badMember(path: string, source: string, fault: string): RuntimeError {
  return new RuntimeError("INVALID_DOCUMENT", `Cannot read "${path}" of ${source}: it ${fault}`, {
    details: { path, fault },
  });
}

function tooLong(path: string, source: string): RuntimeError {
  return new RuntimeError(
    "INVALID_DOCUMENT",
    `Cannot read "${path}" of ${source}: more than ${MAX_DOCUMENT_BYTES} bytes`,
  );
}
