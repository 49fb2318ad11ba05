/**
 * Content addresses: digests, descriptors and the media types of images (OCI image specification, descriptor.md;
 * Docker's "Image Manifest Version 2, Schema 2").
 */

import { type JsonReader } from "./json-reader.ts";

/** `algorithm:hex`, checked by `parseDigest`. */
export type Digest = string & { readonly digest: unique symbol };

export type DigestAlgorithm = "sha256" | "sha512";

const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

/** Largest size a descriptor may claim: what a JavaScript number counts exactly. */
const MAX_SIZE = Number.MAX_SAFE_INTEGER;

/** The digest in `text`, or null. Only the registered algorithms, only lower-case hexadecimal of their length. */
export function parseDigest(text: string): Digest | null {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, Math.max(colon, 0));
  if (algorithm !== "sha256" && algorithm !== "sha512") return null;
  const hex = text.slice(colon + 1);
  return hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex) ? (text as Digest) : null;
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(":")) as DigestAlgorithm;
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** A digest of an algorithm and hexadecimal that a hash function just gave. */
export function makeDigest(algorithm: DigestAlgorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest;
}

export const MEDIA_TYPE = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

/** What a manifest request accepts, best first. */
export const ACCEPTED_MANIFESTS: readonly string[] = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifestList,
  MEDIA_TYPE.dockerManifest,
];

/** Layers that cannot be fetched from a registry by design (Windows base layers). */
const FOREIGN_LAYERS = /^application\/vnd\.(docker\.image\.rootfs\.foreign|oci\.image\.layer\.nondistributable)/;

export type LayerCompression = "none" | "gzip" | "zstd";

/** Whether a media type names a file-system layer; its compression is read from the content's magic, not from here. */
export function isLayerMediaType(mediaType: string): boolean {
  return (
    /^application\/vnd\.oci\.image\.layer\.v1\.tar(\+(gzip|zstd))?$/.test(mediaType) ||
    /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(\.(gzip|zstd))?$/.test(mediaType)
  );
}

export function isForeignLayer(mediaType: string): boolean {
  return FOREIGN_LAYERS.test(mediaType);
}

export function ociLayerMediaType(compression: LayerCompression): string {
  return { none: MEDIA_TYPE.ociLayer, gzip: MEDIA_TYPE.ociLayerGzip, zstd: MEDIA_TYPE.ociLayerZstd }[compression];
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export function parseDescriptor(reader: JsonReader): Descriptor {
  const digest = parseDigest(reader.string("digest"));
  if (digest === null) throw reader.issue("digest", "must be sha256: or sha512: and lower-case hexadecimal");
  const size = reader.integer("size", { minimum: 0, maximum: MAX_SIZE });
  return { mediaType: reader.string("mediaType"), digest, size, annotations: reader.stringMap("annotations") };
}

/** A descriptor as JSON wants it: no empty annotations. */
export function describe(mediaType: string, digest: Digest, size: number): Descriptor {
  return { mediaType, digest, size, annotations: {} };
}

/** The plain object that goes into a manifest's JSON. */
export function descriptorToJson(descriptor: Descriptor): Record<string, unknown> {
  const { mediaType, digest, size, annotations } = descriptor;
  return { mediaType, digest, size, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) };
}
