/**
 * Checks that the store is what it claims: every blob has its digest, every image has its blobs and layers. Repairing
 * takes away what is damaged, so that the next pull brings it anew; an image that has lost its documents is forgotten.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat, unlink } from "node:fs/promises";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestAlgorithm, digestHex } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { MAX_DOCUMENT_BYTES, parseManifest } from "../../oci/manifest.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { WorkerNamespace } from "../worker/run-worker.ts";
import { listBlobs } from "./collect-garbage.ts";
import {
  type ImageRecord,
  NO_IMAGES,
  readImageRecords,
  updateImageRecords,
  withImage,
  withoutImage,
  writeImageRecords,
} from "./image-records.ts";
import type { ImageStore } from "./image-store.ts";
import { listLayers, readLayerRecord, removeLayers } from "./layer-store.ts";

export type StoreFault =
  /** A blob whose content is not what its name says. */
  | { readonly kind: "blob"; readonly digest: Digest }
  /** A layer directory without its record. */
  | { readonly kind: "layer"; readonly name: string }
  /** `images.json` cannot be read. */
  | { readonly kind: "records" }
  /** An image whose manifest, configuration or layers are gone; `lost` are their digests. */
  | { readonly kind: "image"; readonly id: Digest; readonly lost: readonly Digest[] };

/** Look at every byte. The caller keeps others from collecting meanwhile. */
export async function checkStore(store: ImageStore): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = [];
  const damaged = new Set<Digest>();
  for (const { path, digest } of await listBlobs(store)) {
    const hash = createHash(digestAlgorithm(digest));
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array);
    if (hash.digest("hex") === digestHex(digest)) continue;
    damaged.add(digest);
    faults.push({ kind: "blob", digest });
  }
  for (const { name, chainHex, idsKey } of await listLayers(store)) {
    if (await hasRecord(store, chainHex, idsKey)) continue;
    faults.push({ kind: "layer", name });
  }
  const images = await readImages(store);
  if (images === null) faults.push({ kind: "records" });
  for (const image of images ?? []) {
    const lost = await lostParts(store, image, damaged);
    if (lost.length > 0) faults.push({ kind: "image", id: image.id, lost });
  }
  return faults;
}

async function readImages(store: ImageStore): Promise<readonly ImageRecord[] | null> {
  try {
    return (await readImageRecords(store)).images;
  } catch (error) {
    if (error instanceof RuntimeError) return null;
    throw error;
  }
}

async function hasRecord(store: ImageStore, chainHex: string, idsKey: string): Promise<boolean> {
  try {
    return (await readLayerRecord(store, `sha256:${chainHex}` as Digest, idsKey)) !== null;
  } catch (error) {
    if (error instanceof RuntimeError) return false;
    throw error;
  }
}

async function lostParts(
  store: ImageStore,
  image: ImageRecord,
  damaged: ReadonlySet<Digest>,
): Promise<readonly Digest[]> {
  const documents = [image.manifest, image.id];
  const isLost = async (digest: Digest): Promise<boolean> =>
    damaged.has(digest) || (await store.blobSize(digest)) === null;
  for (const digest of documents) if (await isLost(digest)) return [digest];
  const manifest = parseManifest(await store.readDocument(image.manifest), "", image.id);
  if (manifest.kind !== "manifest") return [image.manifest];
  const lost: Digest[] = [];
  for (const { digest } of manifest.layers) if (await isLost(digest)) lost.push(digest);
  parseImageConfig(await store.readDocument(image.id), image.id);
  return lost;
}

/** Take away what `checkStore` has found. The caller holds the store for collection. */
export async function repairStore(
  store: ImageStore,
  namespace: WorkerNamespace,
  faults: readonly StoreFault[],
): Promise<void> {
  for (const fault of faults) {
    if (fault.kind === "records") await recoverImageRecords(store);
    if (fault.kind === "blob") await unlink(store.blobPath(fault.digest));
    if (fault.kind === "layer") await removeLayers(store, namespace, [fault.name]);
    if (fault.kind === "image") {
      await updateImageRecords(store, (records) => ({ records: withoutImage(records, fault.id), result: undefined }));
    }
  }
}

/** Find the images again by their manifests. Their names are lost. */
async function recoverImageRecords(store: ImageStore): Promise<void> {
  const images: ImageRecord[] = [];
  for (const { path, digest } of await listBlobs(store)) {
    if ((await stat(path)).size > MAX_DOCUMENT_BYTES) continue;
    const image = await imageOfManifest(store, digest);
    if (image !== null) images.push(image);
  }
  await writeImageRecords(
    store,
    images.reduce((records, image) => withImage(records, image, null), NO_IMAGES),
  );
}

/** Null unless the blob is an image's manifest, and the store has its configuration. */
async function imageOfManifest(store: ImageStore, digest: Digest): Promise<ImageRecord | null> {
  try {
    const manifest = parseManifest(await store.readDocument(digest), "", digest);
    if (manifest.kind !== "manifest") return null;
    const { created, platform } = parseImageConfig(await store.readDocument(manifest.config.digest), digest);
    // Unpacked it was more; nothing but a list shows it.
    const size = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
    const id = manifest.config.digest;
    return { id, manifest: digest, created, platform: formatPlatform(platform), size, repoDigests: [] };
  } catch (error) {
    if (error instanceof RuntimeError) return null;
    throw error;
  }
}
