/** Pushing: the blobs that a repository lacks, then the manifest under the tag. */

import { createReadStream } from "node:fs";
import { RuntimeError } from "../errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import { manifestBlobs, parseManifest } from "../oci/manifest.ts";
import {
  type Reference,
  formatReference,
  normalizeReference,
  repositoryName,
  withDefaultTag,
} from "../oci/reference.ts";
import { type RegistryAccess, openClient } from "./pull-image.ts";
import { type RegistriesConfig, type RegistryEndpoint, pushEndpoint } from "./registry/registries-config.ts";
import { forEachParallel } from "./storage/add-image.ts";
import { type ImageRecord, readImageRecords, updateImageRecords, withImage } from "./storage/image-records.ts";
import type { ImageStore } from "./storage/image-store.ts";

export interface PushOptions {
  readonly store: ImageStore;
  readonly access: RegistryAccess;
  readonly parallel: number;
  readonly onBlob: (event: BlobEvent) => void;
}

export interface BlobEvent {
  readonly digest: Digest;
  readonly state: "exists" | "pushing" | "mounted" | "pushed";
}

/** @returns the digest and size of the manifest as the registry has it. */
export async function pushImage(
  image: ImageRecord,
  destination: Reference,
  options: PushOptions,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const { store, access, onBlob } = options;
  const reference = withDefaultTag(destination);
  const bytes = await store.readDocument(image.manifest);
  const manifest = parseManifest(bytes, "", formatReference(reference));
  if (manifest.kind !== "manifest") throw new Error("an image record names an image manifest");
  const endpoint = pushEndpoint(reference, access.registries);
  await using client = await openClient(endpoint, access, "pull,push");
  await using held = await store.holdAgainstCollection();
  const sources = await findSources(store, image, endpoint, access.registries);

  const push = async (blob: Descriptor): Promise<void> => {
    if (await client.hasBlob(blob.digest)) {
      onBlob({ digest: blob.digest, state: "exists" });
      return;
    }
    onBlob({ digest: blob.digest, state: "pushing" });
    const state = await client.pushBlob(
      blob,
      (start, end) => createReadStream(store.blobPath(blob.digest), { start, end: end - 1 }),
      sources.get(blob.digest) ?? null,
    );
    onBlob({ digest: blob.digest, state });
  };
  // A layer that an image has twice is pushed once.
  const layers = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
  await forEachParallel(layers, options.parallel, push);
  await push(manifest.config);
  await client.pushManifest(reference.tag ?? image.manifest, manifest.mediaType, bytes);

  const pushed = { ...image, repoDigests: [`${repositoryName(reference)}@${image.manifest}`] };
  await updateImageRecords(store, (records) => ({ records: withImage(records, pushed, null), result: undefined }));
  return { digest: image.manifest, size: bytes.byteLength };
}

/**
 * Repositories of the destination's registry that blobs have come from or gone to: the registry can take them from there. Of
 * the stored images, since the base of a new one is most often another.
 */
async function findSources(
  store: ImageStore,
  pushed: ImageRecord,
  { host, path }: RegistryEndpoint,
  registries: RegistriesConfig,
): Promise<ReadonlyMap<Digest, string>> {
  const sources = new Map<Digest, string>();
  const { images } = await readImageRecords(store);
  for (const image of [pushed, ...images]) {
    const source = image.repoDigests
      .map((name) => sourceEndpoint(name, registries))
      .find((endpoint) => endpoint?.host === host && endpoint.path !== path);
    // Another image's manifest may be lost; that is nothing to this one.
    if (source == null || (await store.blobSize(image.manifest)) === null) continue;
    const manifest = parseManifest(await store.readDocument(image.manifest), "", source.path);
    if (manifest.kind !== "manifest") continue;
    for (const digest of manifestBlobs(manifest)) if (!sources.has(digest)) sources.set(digest, source.path);
  }
  return sources;
}

/** Null for a registry that is blocked by now. */
function sourceEndpoint(name: string, registries: RegistriesConfig): RegistryEndpoint | null {
  try {
    return pushEndpoint(normalizeReference(name), registries);
  } catch (error) {
    if (error instanceof RuntimeError) return null;
    throw error;
  }
}
