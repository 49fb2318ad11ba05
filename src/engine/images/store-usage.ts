/** `pycri system df` and `pycri system check`. */

import { stat } from "node:fs/promises";
import { type StoreFault, checkStore, repairStore } from "../../image/storage/check-store.ts";
import { collectGarbage, listBlobs } from "../../image/storage/collect-garbage.ts";
import { readImageRecords } from "../../image/storage/image-records.ts";
import { chainIds, listLayers, readNamedLayer } from "../../image/storage/layer-store.ts";
import { digestHex } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import type { ImageContext } from "./image-context.ts";

export interface StoreUsage {
  readonly images: number;
  readonly layers: { readonly count: number; readonly bytes: number; readonly unusedBytes: number };
  readonly blobs: { readonly count: number; readonly bytes: number };
}

export async function storeUsage({ store }: ImageContext): Promise<StoreUsage> {
  const { images } = await readImageRecords(store);
  const used = new Set<string>();
  for (const image of images) {
    const { diffIds } = parseImageConfig(await store.readDocument(image.id), image.id);
    for (const chainId of chainIds(diffIds)) used.add(digestHex(chainId));
  }
  let bytes = 0;
  let unusedBytes = 0;
  const layers = await listLayers(store);
  for (const { name, chainHex } of layers) {
    const record = await readNamedLayer(store, name);
    bytes += record.bytes;
    if (!used.has(chainHex)) unusedBytes += record.bytes;
  }
  const blobs = await listBlobs(store);
  let blobBytes = 0;
  for (const { path } of blobs) blobBytes += (await stat(path)).size;
  return {
    images: images.length,
    layers: { count: layers.length, bytes, unusedBytes },
    blobs: { count: blobs.length, bytes: blobBytes },
  };
}

/** Check the store; with `repair`, remove what is damaged and what is left over. */
export async function checkImages({ store, namespace }: ImageContext, repair: boolean): Promise<readonly StoreFault[]> {
  await using lock = repair ? await store.holdForCollection(true) : await store.holdAgainstCollection();
  const faults = [...(await checkStore(store))];
  if (repair) {
    await repairStore(store, namespace, faults);
    if (faults.some(({ kind }) => kind === "records")) {
      // Only now are the images known that may have lost something.
      const more = await checkStore(store);
      await repairStore(store, namespace, more);
      faults.push(...more);
    }
    await collectGarbage(store, namespace, { leftContainers: true });
  }
  return faults;
}
