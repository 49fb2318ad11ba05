/** An image as the root filesystem of a run: pulled and unpacked if need be, held while the container lives. */

import { RuntimeError } from "../../errors.ts";
import type { LayerEvent } from "../../image/storage/add-image.ts";
import { type PullPolicy, pullImage } from "../../image/pull-image.ts";
import type { ImageRecord } from "../../image/storage/image-records.ts";
import { forEachParallel } from "../../image/storage/add-image.ts";
import { makeContainerLayer, removeContainerLayers } from "../../image/storage/container-layers.ts";
import { chainIds, ensureLayer, holdLayer, layerName } from "../../image/storage/layer-store.ts";
import { type ContainerDefaults, parseImageConfig } from "../../oci/image-config.ts";
import { LayerUnpacker } from "../../image/worker/layer-unpacker.ts";
import { parseManifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { RootSource } from "../../plan/run-request.ts";
import { type ContainerConfig, containerConfigPath } from "../../store/container-record.ts";
import type { RunOptions } from "../request/run-options.ts";
import { type ImageContext, addContent, findStoredImage, platformOf } from "./image-context.ts";
import { makeMappedNamespace, workerCommand } from "./worker-namespace.ts";

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
  await using unpacker = new LayerUnpacker(namespace);
  const layers: Promise<unknown>[] = [];
  await forEachParallel([...chain.entries()], context.parallel, async ([index, chainId]) => {
    const diffId = config.diffIds[index];
    const blob = manifest.layers[index]?.digest;
    if (diffId === undefined || blob === undefined) throw new Error("layers and diff ids are as many");
    const parent = chain[index - 1] ?? null;
    // They begin in order, so the one below has begun.
    const below = layers[index - 1] ?? Promise.resolve();
    const onUnpack = (): void => {};
    const layer = ensureLayer(store, namespace, unpacker, { blob, diffId, chainId, parent, limits, onUnpack, below });
    layers[index] = layer;
    await layer;
  });
  const names = chain.map((chainId) => layerName(chainId, namespace.idsKey)).toReversed();
  const [top] = names;
  const held = top === undefined ? null : holdLayer(store, top);
  if (held === null) {
    throw new RuntimeError("IO", `The image "${text}" has no layers to run`, { details: { image: image.id } });
  }
  const { exposedPorts, stopSignal, healthcheck } = config.defaults;
  return {
    root: {
      kind: "image",
      image: { name: text, id: image.id, manifest: image.manifest, exposedPorts, stopSignal, healthcheck },
      path: store.path("layers"),
      layers: names.map((name) => `${name}/diff`),
      copier: workerCommand(),
    },
    image,
    defaults: config.defaults,
    held,
  };
}

/** As Docker: what a container has written stays as long as its record, and a name keeps the record. */
export function keepsWrites({ name, remove, upper, writes }: RunOptions): boolean {
  const keepsRecord = !(remove ?? name === undefined);
  return keepsRecord && upper === undefined && (writes ?? "discard") === "discard";
}

/** Where the writes of a container of an image are kept as long as its record. */
export function keptLayerPath({ store }: ImageContext, id: string): string {
  return store.path("containers", id);
}

/** Make that directory. @returns a descriptor for the monitor, as `RunnableImage.held`. */
export async function makeKeptLayer(
  context: ImageContext,
  id: string,
  { image, root }: RunnableImage,
): Promise<number> {
  const { store, facts } = context;
  await using lock = await store.holdAgainstCollection();
  // They are not gone meanwhile: the container's directory is what keeps them from now on.
  await store.readDocument(image.id);
  await store.readDocument(image.manifest);
  const layers = root.layers.map((layer) => layer.slice(0, -"/diff".length));
  const record = containerConfigPath(facts.runtimeDirectory, id);
  return await makeContainerLayer(store, id, { record, image: image.id, manifest: image.manifest, layers });
}

/** Remove what was made for a container that could not be started. */
export async function discardContainerLayer(context: ImageContext, { id, files }: ContainerConfig): Promise<void> {
  const { store, facts } = context;
  if (files === null || files.layer !== keptLayerPath(context, id)) return;
  const namespace = makeMappedNamespace(files, facts, null);
  await using lock = await store.holdAgainstCollection();
  await removeContainerLayers(store, namespace, [id]);
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
  const wanted = { store, namespace, access, limits, parallel, policy, platform, onLayer, onStart };
  return (await addContent(context, async () => pullImage(text, wanted))).image;
}
