/** Pushing: the blobs that a repository lacks, then the manifest under the tag. */

import { createReadStream } from "node:fs";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import { parseManifest } from "../oci/manifest.ts";
import { type Reference, formatReference, repositoryName, withDefaultTag } from "../oci/reference.ts";
import { type RegistryAccess, openClient } from "./pull-image.ts";
import { pushEndpoint } from "./registry/registries-config.ts";
import { forEachParallel } from "./storage/add-image.ts";
import { type ImageRecord, updateImageRecords, withImage } from "./storage/image-records.ts";
import type { ImageStore } from "./storage/image-store.ts";

export interface PushOptions {
  readonly store: ImageStore;
  readonly access: RegistryAccess;
  readonly parallel: number;
  readonly onBlob: (event: { readonly digest: Digest; readonly state: "exists" | "pushing" | "pushed" }) => void;
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
  await using client = await openClient(pushEndpoint(reference, access.registries), access, "pull,push");
  await using held = await store.holdAgainstCollection();

  const push = async (blob: Descriptor): Promise<void> => {
    if (await client.hasBlob(blob.digest)) {
      onBlob({ digest: blob.digest, state: "exists" });
      return;
    }
    onBlob({ digest: blob.digest, state: "pushing" });
    await client.pushBlob(blob, () => createReadStream(store.blobPath(blob.digest)));
    onBlob({ digest: blob.digest, state: "pushed" });
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
