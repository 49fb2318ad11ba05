/** Archives and layout directories that others read: `docker load`, `podman load`, Skopeo, umoci. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Descriptor, type Digest, describe, digestAlgorithm, digestHex } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { type ImageManifest, encodeIndex, encodeJson, parseManifest } from "../../oci/manifest.ts";
import { MAGIC_BYTES, decompress, detectCompression } from "../layer/decompress.ts";
import { ARCHIVE_END, type EntryHeader, encodeEntry, padding } from "../layer/tar-writer.ts";
import { wholeSeconds } from "../layer/timestamp.ts";
import type { ImageRecord } from "../storage/image-records.ts";
import { type ImageStore, digestMismatch } from "../storage/image-store.ts";

export interface SavedImage {
  readonly image: ImageRecord;
  /** Full references with tags. */
  readonly names: readonly string[];
}

/** A member whose content is known only while it is produced, but whose size is. */
interface Member {
  readonly path: string;
  readonly size: number;
  readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

interface ReadImage extends SavedImage {
  readonly manifest: ImageManifest;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
}

/** The archive that `docker save` writes and everybody reads: layers uncompressed, named by their diff ids. */
export async function* writeDockerArchive(
  store: ImageStore,
  images: readonly SavedImage[],
  zstdProgram: string | null,
): AsyncGenerator<Uint8Array> {
  const written = new Set<string>();
  const manifest: unknown[] = [];
  for (const saved of images) {
    const { image, names, ...parts } = await readImage(store, saved);
    const configPath = `${digestHex(image.id)}.json`;
    const { diffIds } = parseImageConfig(parts.configBytes, image.id);
    const layers = diffIds.map((diffId) => `${digestHex(diffId)}.tar`);
    for (const [index, path] of layers.entries()) {
      const blob = parts.manifest.layers[index];
      const diffId = diffIds[index];
      if (written.has(path) || blob === undefined || diffId === undefined) continue;
      written.add(path);
      yield* writeMember(await plainLayer(store, blob, diffId, path, zstdProgram));
    }
    if (!written.has(configPath)) yield* writeMember(document(configPath, parts.configBytes));
    written.add(configPath);
    manifest.push({ Config: configPath, RepoTags: names, Layers: layers });
  }
  yield* writeMember(document("manifest.json", encodeJson(manifest)));
  yield ARCHIVE_END;
}

/** An OCI image layout in a tar archive. */
export async function* writeOciArchive(store: ImageStore, images: readonly SavedImage[]): AsyncGenerator<Uint8Array> {
  const members = await layoutMembers(store, images);
  // Skopeo, which makes parents that are missing as root's, could not read it as an ordinary user.
  const folders = new Set(members.flatMap(({ path }) => parentsOf(path)));
  for (const folder of [...folders].toSorted())
    yield encodeEntry({ ...PLAIN_ENTRY, type: "directory", name: folder, mode: 0o755 });
  for (const member of members) yield* writeMember(member);
  yield ARCHIVE_END;
}

/** An OCI image layout in a directory, which is made. */
export async function writeOciDirectory(
  store: ImageStore,
  images: readonly SavedImage[],
  directory: string,
): Promise<void> {
  for (const member of await layoutMembers(store, images)) {
    const path = join(directory, member.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, member.chunks());
  }
}

async function layoutMembers(store: ImageStore, images: readonly SavedImage[]): Promise<readonly Member[]> {
  const members = new Map<string, Member>();
  const entries: Descriptor[] = [];
  const add = (member: Member): void => void members.set(member.path, member);
  for (const saved of images) {
    const { image, names, manifest, manifestBytes, configBytes } = await readImage(store, saved);
    for (const { digest, size } of manifest.layers) {
      add({ path: blobPath(digest), size, chunks: () => createReadStream(store.blobPath(digest)) });
    }
    add(document(blobPath(manifest.config.digest), configBytes));
    add(document(blobPath(image.manifest), manifestBytes));
    const entry = describe(manifest.mediaType, image.manifest, manifestBytes.byteLength);
    if (names.length === 0) entries.push(entry);
    for (const name of names) {
      const annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
      entries.push({ ...entry, annotations });
    }
  }
  return [
    document("oci-layout", encodeJson({ imageLayoutVersion: "1.0.0" })),
    ...members.values(),
    document("index.json", encodeIndex(entries)),
  ];
}

async function readImage(store: ImageStore, saved: SavedImage): Promise<ReadImage> {
  const manifestBytes = await store.readDocument(saved.image.manifest);
  const manifest = parseManifest(manifestBytes, "", saved.image.id);
  if (manifest.kind !== "manifest") throw new Error("an image record names an image manifest");
  return { ...saved, manifest, manifestBytes, configBytes: await store.readDocument(saved.image.id) };
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function document(path: string, bytes: Uint8Array): Member {
  return { path, size: bytes.byteLength, chunks: () => [bytes] };
}

/** A layer's archive without compression. tar wants the size first, so a compressed one is decompressed twice. */
async function plainLayer(
  store: ImageStore,
  blob: Descriptor,
  diffId: Digest,
  path: string,
  zstdProgram: string | null,
): Promise<Member> {
  const file = store.blobPath(blob.digest);
  const head = createReadStream(file, { end: MAGIC_BYTES - 1 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of head) chunks.push(chunk as Uint8Array);
  const compression = detectCompression(Buffer.concat(chunks));
  const open = (): AsyncIterable<Uint8Array> => decompress(createReadStream(file), compression, zstdProgram);
  if (compression === "none") return { path, size: (await stat(file)).size, chunks: open };
  const hash = createHash(digestAlgorithm(diffId));
  let size = 0;
  for await (const chunk of open()) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  const actual = hash.digest("hex");
  if (actual !== digestHex(diffId)) throw digestMismatch(diffId, actual, "the image store");
  return { path, size, chunks: open };
}

const PLAIN_ENTRY: EntryHeader = {
  type: "file",
  name: "",
  linkName: "",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: wholeSeconds(0),
  attributes: new Map(),
};

/** `a` and `a/b` for `a/b/c`. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

async function* writeMember({ path, size, chunks }: Member): AsyncGenerator<Uint8Array> {
  yield encodeEntry({ ...PLAIN_ENTRY, name: path, size });
  let written = 0;
  for await (const chunk of chunks()) {
    written += chunk.byteLength;
    yield chunk;
  }
  if (written !== size) throw new Error(`"${path}" has ${written} bytes, expected ${size}`);
  yield padding(size);
}
