/** An image as the root filesystem of a run: pulled and unpacked if need be, held while the container lives. */

import { RuntimeError } from "../../errors.ts";
import type { LayerEvent } from "../../image/storage/add-image.ts";
import { type PullPolicy, pullImage } from "../../image/pull-image.ts";
import type { ImageRecord } from "../../image/storage/image-records.ts";
import { chainIds, ensureLayer, holdLayer, layerName } from "../../image/storage/layer-store.ts";
import { type ContainerDefaults, parseImageConfig } from "../../oci/image-config.ts";
import { parseManifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { RootSource } from "../../plan/run-request.ts";
import { type ImageContext, findStoredImage, platformOf } from "./image-context.ts";

export interface ImageRunOptions {
  readonly policy: PullPolicy;
  readonly platform: string | undefined;
  readonly onLayer: (event: LayerEvent) => void;
  readonly onStart: (reference: Reference) => void;
}

export interface RunnableImage {
  readonly root: RootSource & { readonly kind: "image" };
  readonly image: ImageRecord;
  readonly defaults: ContainerDefaults;
  /** A descriptor that keeps the layers from being collected as long as some process has it open. */
  readonly held: number;
}

/** @throws RuntimeError IMAGE_NOT_FOUND, or whatever pulling and unpacking run into. */
export async function prepareImage(
  text: string,
  context: ImageContext,
  options: ImageRunOptions,
): Promise<RunnableImage> {
  const image = await findImageToRun(text, context, options);
  const { store, namespace, limits } = context;
  // Held until the layers themselves are: what was just found must not be collected in between.
  await using lock = await store.holdAgainstCollection();
  const config = parseImageConfig(await store.readDocument(image.id), text);
  const manifest = parseManifest(await store.readDocument(image.manifest), "", text);
  if (manifest.kind !== "manifest") throw new Error("an image record names an image manifest");
  const chain = chainIds(config.diffIds);
  for (const [index, chainId] of chain.entries()) {
    const diffId = config.diffIds[index];
    const blob = manifest.layers[index]?.digest;
    if (diffId === undefined || blob === undefined) throw new Error("layers and diff ids are as many");
    await ensureLayer(store, namespace, { blob, diffId, chainId, parent: chain[index - 1] ?? null, limits });
  }
  const names = chain.map((chainId) => layerName(chainId, namespace.idsKey)).toReversed();
  const [top] = names;
  const held = top === undefined ? null : holdLayer(store, top);
  if (held === null) {
    throw new RuntimeError("IO", `The image "${text}" has no layers to run`, { details: { image: image.id } });
  }
  return {
    root: { kind: "image", name: text, path: store.path("layers"), layers: names.map((name) => `${name}/diff`) },
    image,
    defaults: config.defaults,
    held,
  };
}

/** An id means a stored image; a name may have to be pulled. */
async function findImageToRun(text: string, context: ImageContext, options: ImageRunOptions): Promise<ImageRecord> {
  if (options.platform === undefined && (options.policy === "missing" || options.policy === "never")) {
    try {
      return (await findStoredImage(context, text)).image;
    } catch (error) {
      const absent = error instanceof RuntimeError && error.code === "IMAGE_NOT_FOUND";
      if (!absent || options.policy === "never") throw error;
    }
  }
  const { store, namespace, access, limits, parallel } = context;
  const { policy, onLayer, onStart } = options;
  const platform = platformOf(context.facts, options.platform);
  const pulled = await pullImage(text, {
    store,
    namespace,
    access,
    limits,
    parallel,
    policy,
    platform,
    onLayer,
    onStart,
  });
  return pulled.image;
}
