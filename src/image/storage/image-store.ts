/**
 * The content store: where everything of images lies, and how it gets there whole or not at all.
 *
 * ```
 *   blobs/sha256/HEX       manifests, configurations and layers as registries serve them, by digest
 *   layers/CHAIN-IDS/      an unpacked layer: diff/ is a lower directory of overlayfs, layer.json tells about it.
 *                          CHAIN is the hexadecimal chain id, IDS names the id mapping its owners were written with
 *   containers/ID/         what a container has written that is kept: see container-layers.ts
 *   images.json            the images and the names they have
 *   ingest/                blobs on their way: HEX.partial survives an interruption and is resumed
 *   staging/               layers on their way, and trees on their way out
 *   locks/                 store.lock: shared while content is added, exclusive while garbage is removed;
 *                          images.lock: images.json is read, changed and replaced; blob-XX, layer-XX: one worker each
 * ```
 * Only rename(2) makes something appear under its final name, and only after fsync(2). A crash leaves at most files in
 * `ingest` and `staging`, which `collect-garbage.ts` removes.
 */

import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestAlgorithm, digestHex } from "../../oci/descriptor.ts";
import { MAX_DOCUMENT_BYTES } from "../../oci/manifest.ts";
import { syncDirectory } from "./atomic-file.ts";
import { fileError } from "./file-error.ts";
import { type StoreLock, takeLock, takePassingLock, tryTakeLock } from "./store-lock.ts";

/** `layers` is mounted into containers, whose root may be a stranger to the caller's ids; the root keeps strangers out. */
const DIRECTORIES = ["blobs/sha256", "blobs/sha512", "layers", "containers", "ingest", "staging", "locks"];

export class ImageStore {
  /** Absolute path. */
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Open the store below `root`, made when missing, for the caller alone (0700). */
  static async open(root: string): Promise<ImageStore> {
    try {
      await ImageStore.#makeDirectories(root);
    } catch (error) {
      throw fileError(error, `Cannot make the image store "${root}"`);
    }
    return new ImageStore(root);
  }

  static async #makeDirectories(root: string): Promise<void> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    for (const name of DIRECTORIES)
      await mkdir(join(root, name), { recursive: true, mode: name === "layers" ? 0o711 : 0o700 });
  }

  path(...names: readonly string[]): string {
    return join(this.root, ...names);
  }

  blobPath(digest: Digest): string {
    return this.path("blobs", digestAlgorithm(digest), digestHex(digest));
  }

  /** The size of a stored blob in bytes, or null. */
  async blobSize(digest: Digest): Promise<number | null> {
    try {
      return (await stat(this.blobPath(digest))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** A manifest or configuration, checked against its digest. */
  async readDocument(digest: Digest): Promise<Uint8Array> {
    let file: FileHandle;
    try {
      file = await open(this.blobPath(digest), "r");
    } catch (cause) {
      throw new RuntimeError("IO", `Cannot read the blob "${digest}" of the image store`, {
        hint: "Pull or load the image again, or run: pycri system check --repair",
        cause,
      });
    }
    try {
      const { size } = await file.stat();
      if (size > MAX_DOCUMENT_BYTES) {
        throw new RuntimeError("INVALID_DOCUMENT", `Cannot read the blob "${digest}": ${size} bytes are too many`);
      }
      const bytes = await file.readFile();
      const actual = createHash(digestAlgorithm(digest)).update(bytes).digest("hex");
      if (actual !== digestHex(digest)) throw digestMismatch(digest, actual, "the image store");
      return bytes;
    } finally {
      await file.close();
    }
  }

  /** Hold while adding content that nothing refers to yet. */
  async holdAgainstCollection(): Promise<StoreLock> {
    return takeLock(this.path("locks", "store.lock"), "shared");
  }

  /** Hold while removing garbage. With `wait` false: null while content is being added. */
  async holdForCollection(wait: boolean): Promise<StoreLock | null> {
    const path = this.path("locks", "store.lock");
    return wait ? takeLock(path, "exclusive") : tryTakeLock(path, "exclusive");
  }

  async lockImages(): Promise<StoreLock> {
    return takeLock(this.path("locks", "images.lock"), "exclusive");
  }

  /**
   * Be the only one who fetches this blob. 256 locks serve all blobs, so that lock files do not pile up; a holder must not
   * take a second one.
   */
  async lockBlob(hex: string): Promise<StoreLock> {
    return takeLock(this.path("locks", `blob-${hex.slice(0, 2)}.lock`), "exclusive");
  }

  /**
   * Be the only one who makes this layer. Each has a lock of its own, as its holder may wait for the layers below, whose
   * holders wait for none above: nobody waits in a circle.
   */
  async lockLayer(hex: string): Promise<StoreLock> {
    return takePassingLock(this.path("locks", `layer-${hex}.lock`));
  }

  /** A new name in `staging` or `ingest` that nobody else uses. */
  temporaryPath(area: "staging" | "ingest"): string {
    return this.path(area, randomBytes(12).toString("hex"));
  }

  /** Keep a small document. Its digest must be that of its bytes. */
  async writeDocument(digest: Digest, bytes: Uint8Array): Promise<void> {
    if ((await this.blobSize(digest)) === bytes.byteLength) return;
    const temporary = this.temporaryPath("ingest");
    const file = await open(temporary, "wx", 0o400);
    try {
      await file.writeFile(bytes);
    } catch (error) {
      await file.close();
      await unlink(temporary);
      throw fileError(error, `Cannot write "${temporary}"`);
    }
    await this.commitBlob(file, temporary, digest);
  }

  /** Move a complete, verified file to where `digest` is looked for. Closes `file`. */
  async commitBlob(file: FileHandle, temporary: string, digest: Digest): Promise<void> {
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    const path = this.blobPath(digest);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  }

  async readText(name: string): Promise<string | null> {
    try {
      return await readFile(this.path(name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }
}

export function digestMismatch(expected: Digest, actualHex: string, source: string): RuntimeError {
  const actual = `${digestAlgorithm(expected)}:${actualHex}`;
  return new RuntimeError("DIGEST_MISMATCH", `Content from ${source} has digest "${actual}", expected "${expected}"`, {
    details: { expected, actual },
  });
}
