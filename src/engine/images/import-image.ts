/** `pycri import`: the files of a root file system, in a tar archive, as an image of one layer. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { describeLayer } from "../../image/archive/read-archive.ts";
import { decompress } from "../../image/layer/decompress.ts";
import { type LayerEvent, addImage } from "../../image/storage/add-image.ts";
import { ingestStream } from "../../image/storage/blob-ingest.ts";
import type { ImageRecord } from "../../image/storage/image-records.ts";
import type { ImageStore } from "../../image/storage/image-store.ts";
import { type Descriptor, type Digest, MEDIA_TYPE, describe, makeDigest } from "../../oci/descriptor.ts";
import { type ContainerDefaults, type ImageConfig, imageConfigToJson } from "../../oci/image-config.ts";
import { encodeJson, encodeManifest, parseManifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import { type ImageContext, addContent, platformOf } from "./image-context.ts";

export interface ImportOptions {
  readonly name: Reference | null;
  readonly platform: string | undefined;
  readonly defaults: ContainerDefaults;
  readonly comment: string;
  readonly onLayer: (event: LayerEvent) => void;
}

export async function importImage(
  context: ImageContext,
  stream: Readable,
  source: string,
  options: ImportOptions,
): Promise<ImageRecord> {
  return addContent(context, async () => {
    await using held = await context.store.holdAgainstCollection();
    const blob = await ingestStream(context.store, stream, null, source);
    const layer = await describeLayer(context.store, blob);
    const created = new Date().toISOString();
    const diffId = await digestOfPlain(context.store, layer, context.namespace.zstdProgram);
    const config: ImageConfig = {
      platform: platformOf(context.facts, options.platform),
      created,
      author: "",
      defaults: options.defaults,
      diffIds: [diffId],
      history: [{ created, createdBy: "", comment: options.comment, author: "", emptyLayer: false }],
    };
    return await addMadeImage(context, config, [layer], options.name, options.onLayer);
  });
}

/** Keep an image whose layers are in the store already. The caller holds the store against collection. */
export async function addMadeImage(
  context: ImageContext,
  config: ImageConfig,
  layers: readonly Descriptor[],
  name: Reference | null,
  onLayer: (event: LayerEvent) => void,
): Promise<ImageRecord> {
  const { store, namespace, limits, parallel } = context;
  const configBytes = encodeJson(imageConfigToJson(config));
  const manifestBytes = encodeManifest(
    describe(MEDIA_TYPE.ociConfig, sha256(configBytes), configBytes.byteLength),
    layers,
  );
  const manifest = parseManifest(manifestBytes, "", "the new image");
  if (manifest.kind !== "manifest") throw new Error("a manifest was encoded");
  return addImage(
    { manifestDigest: sha256(manifestBytes), manifestBytes, manifest, configBytes, source: "the new image" },
    {
      store,
      namespace,
      limits,
      parallel,
      onLayer,
      fetchLayer: async ({ digest }) => {
        throw new Error(`the layer ${digest} was stored before`);
      },
      names: name === null ? [] : [name],
      repoDigests: [],
    },
  );
}

function sha256(bytes: Uint8Array): Digest {
  return makeDigest("sha256", createHash("sha256").update(bytes).digest("hex"));
}

async function digestOfPlain(store: ImageStore, layer: Descriptor, zstdProgram: string | null): Promise<Digest> {
  if (layer.mediaType === MEDIA_TYPE.ociLayer) return layer.digest;
  const compression = layer.mediaType === MEDIA_TYPE.ociLayerZstd ? "zstd" : "gzip";
  const hash = createHash("sha256");
  for await (const chunk of decompress(createReadStream(store.blobPath(layer.digest)), compression, zstdProgram)) {
    hash.update(chunk);
  }
  return makeDigest("sha256", hash.digest("hex"));
}
