/**
 * Checks that the store is what it claims: every blob has its digest, every image has its blobs and layers. Repairing
 * takes away what is damaged, so that the next pull brings it anew; an image that has lost its documents is forgotten.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { unlink } from "node:fs/promises";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestAlgorithm, digestHex } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { parseManifest } from "../../oci/manifest.ts";
import type { WorkerNamespace } from "../worker/run-worker.ts";
import { listBlobs } from "./collect-garbage.ts";
import { type ImageRecord, readImageRecords, updateImageRecords, withoutImage } from "./image-records.ts";
import type { ImageStore } from "./image-store.ts";
import { listLayers, readLayerRecord, removeLayers } from "./layer-store.ts";

export type StoreFault =
  /** A blob whose content is not what its name says. */
  | { readonly kind: "blob"; readonly digest: Digest }
  /** A layer directory without its record. */
  | { readonly kind: "layer"; readonly name: string }
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
  for (const image of (await readImageRecords(store)).images) {
    const lost = await lostParts(store, image, damaged);
    if (lost.length > 0) faults.push({ kind: "image", id: image.id, lost });
  }
  return faults;
}

async function hasRecord(store: ImageStore, chainHex: string, idsKey: string): Promise<boolean> {
  try {
    return (await readLayerRecord(store, `sha256:${chainHex}` as Digest, idsKey)) !== null;
  } catch (error) {
    if (error instanceof RuntimeError || error instanceof SyntaxError) return false;
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
    if (fault.kind === "blob") await unlink(store.blobPath(fault.digest));
    if (fault.kind === "layer") await removeLayers(store, namespace, [fault.name]);
    if (fault.kind === "image") {
      await updateImageRecords(store, (records) => ({ records: withoutImage(records, fault.id), result: undefined }));
    }
  }
}
