/**
 * Images out of archives and directories: what `docker save`, `podman save`, Skopeo, Buildah and umoci write
 * (docker-archive with its manifest.json; OCI image layout, image-layout.md, as a directory or in a tar archive).
 */

import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { RuntimeError } from "../../errors.ts";
import {
  type Descriptor,
  type Digest,
  MEDIA_TYPE,
  describe,
  digestAlgorithm,
  digestHex,
  makeDigest,
  ociLayerMediaType,
} from "../../oci/descriptor.ts";
import { type JsonReader, readJson } from "../../oci/json-reader.ts";
import {
  type ImageManifest,
  type IndexEntry,
  MAX_DOCUMENT_BYTES,
  encodeManifest,
  parseManifest,
} from "../../oci/manifest.ts";
import { type Platform, choosePlatform, formatPlatform } from "../../oci/platform.ts";
import { type Reference, normalizeReference } from "../../oci/reference.ts";
import { MAGIC_BYTES, decompress, detectCompression } from "../layer/decompress.ts";
import type { LayerAccount } from "../layer/limits.ts";
import type { ImageParts } from "../storage/add-image.ts";
import type { IngestedBlob } from "../storage/blob-ingest.ts";
import type { ImageStore } from "../storage/image-store.ts";
import type { Members } from "./members.ts";

/** An image found in an archive; its layers are in the store. */
export interface ArchivedImage extends ImageParts {
  readonly names: readonly Reference[];
}

const ANNOTATION_NAME = "org.opencontainers.image.ref.name";
/** containerd's: the full name, where the other one may have a tag alone. */
const ANNOTATION_FULL_NAME = "io.containerd.image.name";
const MAX_IMAGES = 1000;

/** Decompress a stream by its first bytes. `account` bounds the ratio. */
export async function plainStream(
  stream: AsyncIterable<Uint8Array>,
  zstdProgram: string | null,
  account: LayerAccount,
): Promise<AsyncIterable<Uint8Array>> {
  const iterator = stream[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < MAGIC_BYTES) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  let compressed = 0;
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of joined(head, iterator)) {
      compressed += chunk.byteLength;
      yield chunk;
    }
  };
  const compression = detectCompression(head);
  if (compression === "none") return whole();
  const plain = decompress(Readable.from(whole()), compression, zstdProgram);
  return (async function* (): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const chunk of plain) {
      size += chunk.byteLength;
      account.checkRatio(compressed, size);
      yield chunk;
    }
  })();
}

async function* joined(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* { [Symbol.asyncIterator]: () => rest };
}

/** Find the images among `members` and put their layers into the store. `source` stands in messages. */
export async function readArchivedImages(
  store: ImageStore,
  members: Members,
  platform: Platform,
  source: string,
): Promise<readonly ArchivedImage[]> {
  const index = await members.read("index.json");
  if (index !== null) return readLayout(store, members, index, platform, source);
  const manifest = await members.read("manifest.json");
  if (manifest !== null) return readDockerArchive(store, members, manifest, source);
  throw new RuntimeError("INVALID_DOCUMENT", `${source} has neither index.json nor manifest.json`, {
    hint: "It is no image archive. For the files of a root file system: pycri import",
  });
}

async function readLayout(
  store: ImageStore,
  members: Members,
  bytes: Uint8Array,
  platform: Platform,
  source: string,
): Promise<readonly ArchivedImage[]> {
  const index = parseManifest(bytes, MEDIA_TYPE.ociIndex, source);
  if (index.kind !== "index") throw new Error("an index was asked for");
  // Entries of one name are one image for several platforms.
  const byName = new Map<string, IndexEntry[]>();
  for (const entry of index.manifests) {
    const name = nameOf(entry) ?? "";
    byName.set(name, [...(byName.get(name) ?? []), entry]);
  }
  const images: ArchivedImage[] = [];
  for (const [name, entries] of byName) {
    const chosen = entries.every((entry) => entry.platform === null) ? entries : [chosenOf(entries, platform, source)];
    for (const entry of chosen) {
      const manifest = await readLayoutManifest(members, entry, platform, source);
      images.push(await keepLayers(store, members, manifest, referenceOf(name), source));
    }
  }
  return images;
}

function chosenOf(entries: readonly IndexEntry[], platform: Platform, source: string): IndexEntry {
  const entry = choosePlatform(entries, platform);
  if (entry !== undefined) return entry;
  throw new RuntimeError("PLATFORM_NOT_FOUND", `${source} has nothing for ${formatPlatform(platform)}`, {
    hint: "Choose with --platform.",
  });
}

interface LayoutManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: ImageManifest;
}

async function readLayoutManifest(
  members: Members,
  entry: Descriptor,
  platform: Platform,
  source: string,
): Promise<LayoutManifest> {
  const bytes = await readVerified(members, entry, source);
  const parsed = parseManifest(bytes, entry.mediaType, source);
  if (parsed.kind === "manifest") return { digest: entry.digest, bytes, manifest: parsed };
  const inner = chosenOf(parsed.manifests, platform, source);
  const innerBytes = await readVerified(members, inner, source);
  const manifest = parseManifest(innerBytes, inner.mediaType, source);
  if (manifest.kind === "manifest") return { digest: inner.digest, bytes: innerBytes, manifest };
  throw new RuntimeError("INVALID_DOCUMENT", `Cannot use ${source}: its index leads through another to a third`);
}

async function readVerified(members: Members, { digest }: Descriptor, source: string): Promise<Uint8Array> {
  const bytes = await members.read(blobPath(digest));
  if (bytes === null) throw missing(blobPath(digest), source);
  const actual = makeDigest(digestAlgorithm(digest), createHash(digestAlgorithm(digest)).update(bytes).digest("hex"));
  if (actual === digest) return bytes;
  throw new RuntimeError("DIGEST_MISMATCH", `"${blobPath(digest)}" of ${source} has digest "${actual}"`, {
    details: { expected: digest, actual },
  });
}

async function keepLayers(
  store: ImageStore,
  members: Members,
  { digest, bytes, manifest }: LayoutManifest,
  name: Reference | null,
  source: string,
): Promise<ArchivedImage> {
  const configBytes = await readVerified(members, manifest.config, source);
  for (const layer of manifest.layers) {
    if ((await store.blobSize(layer.digest)) !== null) continue;
    if ((await members.keep(blobPath(layer.digest), layer.digest)) === null)
      throw missing(blobPath(layer.digest), source);
  }
  const names = name === null ? [] : [name];
  return { manifestDigest: digest, manifestBytes: bytes, manifest, configBytes, source, names };
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function nameOf({ annotations }: Descriptor): string | null {
  return annotations[ANNOTATION_FULL_NAME] ?? annotations[ANNOTATION_NAME] ?? null;
}

/** A name that says which image; a bare word is the tag of an image without a name (Skopeo, umoci). */
function referenceOf(name: string): Reference | null {
  return /[/:]/.test(name) ? normalizeReference(name) : null;
}

async function readDockerArchive(
  store: ImageStore,
  members: Members,
  bytes: Uint8Array,
  source: string,
): Promise<readonly ArchivedImage[]> {
  // The document is a list; the readers want an object around it.
  const text = new TextDecoder().decode(bytes);
  const wrapped = new TextEncoder().encode(`{"manifest":${text}}`);
  const root = readJson(`manifest.json of ${source}`, wrapped, MAX_DOCUMENT_BYTES + 16);
  const images: ArchivedImage[] = [];
  for (const entry of root.objects("manifest", MAX_IMAGES))
    images.push(await readDockerImage(store, members, entry, source));
  return images;
}

async function readDockerImage(
  store: ImageStore,
  members: Members,
  entry: JsonReader,
  source: string,
): Promise<ArchivedImage> {
  const configPath = entry.string("Config");
  const configBytes = await members.read(configPath);
  if (configBytes === null) throw missing(configPath, source);
  const configDigest = makeDigest("sha256", createHash("sha256").update(configBytes).digest("hex"));
  const layers: Descriptor[] = [];
  for (const path of entry.strings("Layers")) {
    const blob = await members.keep(path, null);
    if (blob === null) throw missing(path, source);
    layers.push(await describeLayer(store, blob));
  }
  const config = describe(MEDIA_TYPE.ociConfig, configDigest, configBytes.byteLength);
  const manifestBytes = encodeManifest(config, layers);
  const manifest = parseManifest(manifestBytes, "", source);
  if (manifest.kind !== "manifest") throw new Error("a manifest was encoded");
  return {
    manifestDigest: makeDigest("sha256", createHash("sha256").update(manifestBytes).digest("hex")),
    manifestBytes,
    manifest,
    configBytes,
    source,
    names: entry.strings("RepoTags").map(normalizeReference),
  };
}

/** The descriptor of a stored layer; its compression is read from its first bytes. */
export async function describeLayer(store: ImageStore, { digest, size }: IngestedBlob): Promise<Descriptor> {
  const file = await open(store.blobPath(digest), "r");
  try {
    const head = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await file.read(head, 0, MAGIC_BYTES, 0);
    return describe(ociLayerMediaType(detectCompression(head.subarray(0, bytesRead))), digest, size);
  } finally {
    await file.close();
  }
}

function missing(path: string, source: string): RuntimeError {
  return new RuntimeError("INVALID_DOCUMENT", `${source} has no member "${path}"`, { details: { path } });
}
