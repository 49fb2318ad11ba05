/**
 * Removes what nothing refers to: blobs and layers of no image, and what interrupted processes have left. The only code
 * that deletes content; it runs while nobody adds any (`holdForCollection`).
 */

import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestHex, makeDigest } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { manifestBlobs, parseManifest } from "../../oci/manifest.ts";
import { type WorkerNamespace, runRemove } from "../worker/run-worker.ts";
import { findLeftContainerLayers, listContainerLayers, removeContainerLayers } from "./container-layers.ts";
import { type ImageRecord, readImageRecords } from "./image-records.ts";
import type { ImageStore } from "./image-store.ts";
import {
  type StoredLayer,
  chainIds,
  isLayerHeld,
  layerName,
  listLayers,
  readNamedLayer,
  removeLayers,
} from "./layer-store.ts";

export interface Collected {
  readonly blobs: number;
  readonly layers: number;
  /** Bytes that became free: files of blobs and of layers. */
  readonly bytes: number;
}

/** What an image keeps alive. */
interface Reachable {
  readonly blobs: ReadonlySet<string>;
  readonly chains: ReadonlySet<string>;
}

/**
 * Layers that containers use stay, with those below them. `leftContainers`: also remove what containers have written whose
 * record is gone, as it is after a reboot.
 */
export async function collectGarbage(
  store: ImageStore,
  namespace: WorkerNamespace,
  options: { readonly leftContainers: boolean },
): Promise<Collected> {
  if (options.leftContainers) await removeContainerLayers(store, namespace, await findLeftContainerLayers(store));
  const { images } = await readImageRecords(store);
  const containers = await listContainerLayers(store);
  const mounted = new Set(containers.flatMap((container) => container.layers));
  const bases: Pick<ImageRecord, "id" | "manifest" | "repoDigests">[] = [];
  for (const { image, manifest } of containers) {
    // What has been lost of its image can be kept no longer.
    const whole = (await store.blobSize(manifest)) !== null && (await store.blobSize(image)) !== null;
    if (whole) bases.push({ id: image, manifest, repoDigests: [] });
  }
  const { blobs, chains } = await findReachable(store, [...images, ...bases]);
  let bytes = 0;

  const layers = (await listLayers(store)).filter(({ name, chainHex }) => !chains.has(chainHex) && !mounted.has(name));
  const held = await findHeld(store, layers);
  const unusedLayers = layers.map(({ name }) => name).filter((name) => !held.has(name));
  for (const name of unusedLayers) bytes += await bytesOf(store, name);
  await removeLayers(store, namespace, unusedLayers);

  let removedBlobs = 0;
  for (const { path, digest } of await listBlobs(store)) {
    if (blobs.has(digest)) continue;
    bytes += (await stat(path)).size;
    await unlink(path);
    removedBlobs++;
  }
  await removeLeftovers(store, namespace);
  return { blobs: removedBlobs, layers: unusedLayers.length, bytes };
}

async function findHeld(store: ImageStore, layers: readonly StoredLayer[]): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (const { name, idsKey } of layers) {
    if (!isLayerHeld(store, name)) continue;
    for (let current: string | null = name; current !== null && !held.has(current);) {
      held.add(current);
      const parent: Digest | null = (await readNamedLayer(store, current)).parent;
      current = parent === null ? null : layerName(parent, idsKey);
    }
  }
  return held;
}

/** 0 for a layer whose record is damaged: it goes all the same. */
async function bytesOf(store: ImageStore, name: string): Promise<number> {
  try {
    return (await readNamedLayer(store, name)).bytes;
  } catch (error) {
    if (error instanceof RuntimeError || (error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

/** Delete what processes that were interrupted have left: nobody adds content now, so all of it is theirs. */
async function removeLeftovers(store: ImageStore, namespace: WorkerNamespace): Promise<void> {
  for (const name of await readdir(store.path("ingest"))) await unlink(store.path("ingest", name));
  await runRemove(
    namespace,
    (await readdir(store.path("staging"))).map((name) => store.path("staging", name)),
  );
}

async function findReachable(
  store: ImageStore,
  images: readonly Pick<ImageRecord, "id" | "manifest" | "repoDigests">[],
): Promise<Reachable> {
  const blobs = new Set<string>();
  const chains = new Set<string>();
  for (const image of images) {
    blobs.add(image.manifest);
    for (const text of image.repoDigests) blobs.add(text.slice(text.indexOf("@") + 1));
    const manifest = parseManifest(await store.readDocument(image.manifest), "", image.id);
    if (manifest.kind === "manifest") for (const digest of manifestBlobs(manifest)) blobs.add(digest);
    const { diffIds } = parseImageConfig(await store.readDocument(image.id), image.id);
    for (const chainId of chainIds(diffIds)) chains.add(digestHex(chainId));
  }
  return { blobs, chains };
}

/** Every blob there is. */
export async function listBlobs(
  store: ImageStore,
): Promise<readonly { readonly path: string; readonly digest: Digest }[]> {
  const blobs: { readonly path: string; readonly digest: Digest }[] = [];
  for (const algorithm of ["sha256", "sha512"] as const) {
    const directory = store.path("blobs", algorithm);
    for (const hex of await readdir(directory)) {
      blobs.push({ path: join(directory, hex), digest: makeDigest(algorithm, hex) });
    }
  }
  return blobs;
}
