/** Images of the tests' own making, as documents and blobs, and what puts them into a registry. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { MEDIA_TYPE } from "../../src/oci/descriptor.ts";

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface MadeImage {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly digest: string;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  readonly blobs: ReadonlyMap<string, Buffer>;
}

export interface ImageRecipe {
  /** Tar archives, bottom first. */
  readonly layers: readonly Buffer[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** `os/architecture[/variant]`. */
  readonly platform?: string;
  readonly format?: "oci" | "docker";
  /** zstd instead of gzip. */
  readonly compress?: (layer: Buffer) => Buffer;
}

export const HOST_PLATFORM: string = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function describeBlob(mediaType: string, bytes: Uint8Array): Blob {
  return { mediaType, digest: sha256(bytes), size: bytes.byteLength };
}

export function makeImage(recipe: ImageRecipe): MadeImage {
  const { layers, config = {}, platform = HOST_PLATFORM, format = "oci", compress } = recipe;
  const ociLayer = compress === undefined ? MEDIA_TYPE.ociLayerGzip : MEDIA_TYPE.ociLayerZstd;
  const [os, architecture, variant] = platform.split("/");
  const types =
    format === "oci"
      ? { config: MEDIA_TYPE.ociConfig, layer: ociLayer, manifest: MEDIA_TYPE.ociManifest }
      : { config: MEDIA_TYPE.dockerConfig, layer: MEDIA_TYPE.dockerLayerGzip, manifest: MEDIA_TYPE.dockerManifest };
  const configBytes = Buffer.from(
    JSON.stringify({
      os,
      architecture,
      ...(variant === undefined ? {} : { variant }),
      config,
      rootfs: { type: "layers", diff_ids: layers.map(sha256) },
      history: layers.map((_, index) => ({ created_by: `step ${index}` })),
    }),
  );
  const blobs = new Map<string, Buffer>([[sha256(configBytes), configBytes]]);
  const described = layers.map((layer) => {
    const compressed = compress === undefined ? gzipSync(layer) : compress(layer);
    blobs.set(sha256(compressed), compressed);
    return describeBlob(types.layer, compressed);
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: describeBlob(types.config, configBytes),
    layers: described,
  };
  const bytes = Buffer.from(JSON.stringify(manifest, null, 2));
  return { mediaType: types.manifest, bytes, digest: sha256(bytes), config: manifest.config, layers: described, blobs };
}

export type IndexedImage = readonly [platform: string, image: MadeImage];

/** An index over images, each for a platform. */
export function makeIndex(
  images: readonly IndexedImage[],
  format: "oci" | "docker" = "oci",
): Pick<MadeImage, "bytes" | "digest" | "mediaType"> {
  const mediaType = format === "oci" ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.dockerManifestList;
  const manifests = images.map(([platform, image]) => {
    const [os, architecture, variant] = platform.split("/");
    return {
      ...describeBlob(image.mediaType, image.bytes),
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    };
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, bytes, digest: sha256(bytes) };
}

async function put(url: string, body: Buffer, contentType: string): Promise<void> {
  const response = await fetch(url, { method: "PUT", body, headers: { "content-type": contentType } });
  assert.equal(response.status, 201, `${url}: ${await response.text()}`);
}

/** Put an image into a registry that speaks plain HTTP and wants no password. */
export async function uploadImage(
  host: string,
  repository: string,
  reference: string,
  image: MadeImage,
): Promise<void> {
  for (const [digest, bytes] of image.blobs) {
    const base = `http://${host}/v2/${repository}/blobs/uploads/`;
    const start = await fetch(base, { method: "POST" });
    await start.arrayBuffer();
    const location = new URL(start.headers.get("location") ?? "", base);
    location.searchParams.set("digest", digest);
    await put(location.href, bytes, "application/octet-stream");
  }
  await uploadManifest(host, repository, reference, image);
}

/** Put a manifest or index whose parts the registry has. */
export async function uploadManifest(
  host: string,
  repository: string,
  reference: string,
  { bytes, mediaType }: Pick<MadeImage, "bytes" | "mediaType">,
): Promise<void> {
  await put(`http://${host}/v2/${repository}/manifests/${reference}`, bytes, mediaType);
}
