/** `pycri inspect` and `pycri history` of images, in the fields that Docker has. */

import { namesOf, readImageRecords } from "../../image/storage/image-records.ts";
import { chainIds, layerDiff, readLayerRecord } from "../../image/storage/layer-store.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { type ImageConfig, defaultsToJson, parseImageConfig } from "../../oci/image-config.ts";
import { familiarReference, normalizeReference } from "../../oci/reference.ts";
import { type ImageContext, findStoredImage } from "./image-context.ts";

/** What `docker image inspect` prints for one image. */
export async function inspectImage(context: ImageContext, text: string): Promise<Record<string, unknown>> {
  const { store, namespace } = context;
  const { image } = await findStoredImage(context, text);
  const config = parseImageConfig(await store.readDocument(image.id), text);
  const records = await readImageRecords(store);
  const chain = chainIds(config.diffIds);
  return {
    Id: image.id,
    RepoTags: namesOf(records, image.id).map((name) => familiarReference(normalizeReference(name))),
    RepoDigests: image.repoDigests.map((name) => familiarReference(normalizeReference(name))),
    Digest: image.manifest,
    Created: config.created,
    Author: config.author,
    Config: defaultsToJson(config.defaults),
    Architecture: config.platform.architecture,
    Variant: config.platform.variant,
    Os: config.platform.os,
    Size: image.size,
    GraphDriver: {
      Name: "overlay",
      Data: { LowerDirs: chain.map((chainId) => layerDiff(store, chainId, namespace.idsKey)).toReversed() },
    },
    RootFS: { Type: "layers", Layers: config.diffIds },
  };
}

export interface HistoryRow {
  /** The image's id for its newest step; "<missing>" for others, as Docker has it. */
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  /** Bytes of the step's layer. */
  readonly size: number;
  readonly comment: string;
}

/** Newest step first. */
export async function imageHistory(context: ImageContext, text: string): Promise<readonly HistoryRow[]> {
  const { image } = await findStoredImage(context, text);
  const config = parseImageConfig(await context.store.readDocument(image.id), text);
  const sizes = await layerSizes(context, config);
  let layer = 0;
  const rows = config.history.map((entry, index) => ({
    id: index === config.history.length - 1 ? image.id : "<missing>",
    created: entry.created,
    createdBy: entry.createdBy,
    size: entry.emptyLayer ? 0 : (sizes[layer++] ?? 0),
    comment: entry.comment,
  }));
  return rows.toReversed();
}

async function layerSizes(context: ImageContext, config: ImageConfig): Promise<readonly number[]> {
  const sizes: number[] = [];
  for (const chainId of chainIds(config.diffIds) satisfies readonly Digest[]) {
    const record = await readLayerRecord(context.store, chainId, context.namespace.idsKey);
    sizes.push(record?.bytes ?? 0);
  }
  return sizes;
}
