/**
 * The one way an image gets into the store, wherever it comes from: fetch what is missing, unpack the layers, and only
 * then write the record that makes it an image. Before that, everything is garbage that a crash may leave.
 */

import { RuntimeError } from "../../errors.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { type ImageConfig, parseImageConfig } from "../../oci/image-config.ts";
import type { ImageManifest } from "../../oci/manifest.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Reference } from "../../oci/reference.ts";
import type { LayerLimits } from "../layer/limits.ts";
import { LayerUnpacker } from "../worker/layer-unpacker.ts";
import type { WorkerNamespace } from "../worker/run-worker.ts";
import { type ImageRecord, updateImageRecords, withImage } from "./image-records.ts";
import type { ImageStore } from "./image-store.ts";
import { type LayerRequest, chainIds, ensureLayer } from "./layer-store.ts";

export interface ImageParts {
  readonly manifestDigest: Digest;
  readonly manifestBytes: Uint8Array;
  readonly manifest: ImageManifest;
  readonly configBytes: Uint8Array;
  /** Names for messages. */
  readonly source: string;
}

/** What became of a layer, for progress. */
export type LayerEvent =
  /** It was there, or somebody else has unpacked it meanwhile. */
  | { readonly kind: "present"; readonly digest: Digest }
  | { readonly kind: "fetching"; readonly digest: Digest; readonly bytes: number; readonly total: number }
  | { readonly kind: "unpacking"; readonly digest: Digest }
  | { readonly kind: "done"; readonly digest: Digest; readonly notes: readonly string[] };

export interface AddImageOptions {
  readonly store: ImageStore;
  readonly namespace: WorkerNamespace;
  readonly limits: LayerLimits;
  /** Layers handled at once. */
  readonly parallel: number;
  readonly onLayer: (event: LayerEvent) => void;
  /** Put a layer's blob into the store. */
  readonly fetchLayer: (layer: Descriptor) => Promise<void>;
  /** The names to give: tags, or none. */
  readonly names: readonly Reference[];
  readonly repoDigests: readonly string[];
}

/** Parse the configuration and check that it fits the manifest. */
export function parseImageParts({ manifest, configBytes, source }: ImageParts): ImageConfig {
  const config = parseImageConfig(configBytes, source);
  if (config.diffIds.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers and ${config.diffIds.length} diff_ids`;
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot use "${source}": it has ${counts}`, {
      details: { issues: [{ pointer: "/rootfs/diff_ids", message: `has ${config.diffIds.length} items` }] },
    });
  }
  return config;
}

/** The caller holds the store against collection. */
export async function addImage(parts: ImageParts, options: AddImageOptions): Promise<ImageRecord> {
  const { store } = options;
  const { manifest } = parts;
  const config = parseImageParts(parts);
  const chain = chainIds(config.diffIds);
  const sizes: Promise<number>[] = [];
  await using unpacker = new LayerUnpacker(options.namespace);
  await forEachParallel([...manifest.layers.entries()], options.parallel, async ([index, layer]) => {
    const diffId = config.diffIds[index];
    const chainId = chain[index];
    if (diffId === undefined || chainId === undefined) throw new Error("layers and diff ids are as many");
    const parent = chain[index - 1] ?? null;
    // They begin in order, so the one below has begun.
    const below = sizes[index - 1] ?? Promise.resolve();
    const size = addLayer(options, unpacker, layer, { diffId, chainId, parent, below });
    sizes[index] = size;
    await size;
  });

  await store.writeDocument(manifest.config.digest, parts.configBytes);
  await store.writeDocument(parts.manifestDigest, parts.manifestBytes);
  const record: ImageRecord = {
    id: manifest.config.digest,
    manifest: parts.manifestDigest,
    created: config.created,
    platform: formatPlatform(config.platform),
    size: (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0),
    repoDigests: options.repoDigests,
  };
  return updateImageRecords(store, (records) => {
    let changed = withImage(records, record, null);
    for (const name of options.names) changed = withImage(changed, record, name);
    return { records: changed, result: record };
  });
}

async function addLayer(
  options: AddImageOptions,
  unpacker: LayerUnpacker,
  layer: Descriptor,
  place: Pick<LayerRequest, "diffId" | "chainId" | "parent" | "below">,
): Promise<number> {
  const { store, namespace, limits, onLayer } = options;
  const { digest } = layer;
  if ((await store.blobSize(digest)) === null) await options.fetchLayer(layer);
  const onUnpack = (): void => onLayer({ kind: "unpacking", digest });
  const { record, made } = await ensureLayer(store, namespace, unpacker, { ...place, blob: digest, limits, onUnpack });
  onLayer(made ? { kind: "done", digest, notes: record.notes } : { kind: "present", digest });
  return record.bytes;
}

/** Run `work` for all items, at most `limit` at once. After a failure nothing new starts; the first failure is thrown. */
export async function forEachParallel<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed) {
      const item = queue.shift();
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
