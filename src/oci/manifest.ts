/**
 * Image manifests and indexes, OCI's and Docker's schema 2, parsed from untrusted bytes. A document that reads as both a
 * manifest and an index is refused (CVE-2021-41190), schema 1 too: its layers cannot be verified.
 */

import { RuntimeError } from "../errors.ts";
import {
  type Descriptor,
  type Digest,
  MEDIA_TYPE,
  descriptorToJson,
  isForeignLayer,
  isLayerMediaType,
  parseDescriptor,
} from "./descriptor.ts";
import { type JsonReader, readJson } from "./json-reader.ts";
import { type Platform, normalizePlatform } from "./platform.ts";

/** Largest manifest, index or configuration that is read: what registries accept (distribution specification 1.1). */
export const MAX_DOCUMENT_BYTES: number = 4 * 1024 * 1024;
/** Docker stops at 125 layers, overlayfs at 500. */
const MAX_LAYERS = 500;
const MAX_INDEX_ENTRIES = 1000;

export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface IndexEntry extends Descriptor {
  readonly platform: Platform | null;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly IndexEntry[];
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Parse a manifest or index. `declared` is the media type that its transport gave (Content-Type or a descriptor), or "";
 * it must agree with the document's own.
 */
export function parseManifest(bytes: Uint8Array, declared: string, name: string): ImageManifest | ImageIndex {
  const reader = readJson(`the manifest of "${name}"`, bytes, MAX_DOCUMENT_BYTES);
  refuseSchema1(reader, declared, name);
  const version = reader.integer("schemaVersion", { minimum: 1, maximum: 2 });
  if (version !== 2) throw reader.issue("schemaVersion", "must be 2");

  const embedded = reader.optionalString("mediaType") ?? "";
  const isIndex = reader.has("manifests");
  if (isIndex && (reader.has("layers") || reader.has("config"))) {
    throw reader.issue("manifests", "stands beside layers or config: the document is ambiguous");
  }
  const mediaType = embedded || knownType(declared) || (isIndex ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest);
  if (knownType(declared) !== "" && declared !== mediaType) {
    throw reader.issue("mediaType", `is "${mediaType}", and it was served as "${declared}"`);
  }
  const expectIndex = mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerManifestList;
  const expectManifest = mediaType === MEDIA_TYPE.ociManifest || mediaType === MEDIA_TYPE.dockerManifest;
  if (!expectIndex && !expectManifest) throw reader.issue("mediaType", `"${mediaType}" is not an image`);
  if (expectIndex !== isIndex) throw reader.issue("mediaType", `"${mediaType}" does not fit the document's fields`);
  return isIndex ? parseIndex(reader, mediaType) : parseImage(reader, mediaType);
}

function parseIndex(reader: JsonReader, mediaType: string): ImageIndex {
  const manifests = reader.objects("manifests", MAX_INDEX_ENTRIES).map((entry): IndexEntry => {
    const platform = entry.optionalObject("platform");
    return {
      ...parseDescriptor(entry),
      platform:
        platform === undefined
          ? null
          : normalizePlatform(
              platform.string("os"),
              platform.string("architecture"),
              platform.optionalString("variant"),
            ),
    };
  });
  return { kind: "index", mediaType, manifests, annotations: reader.stringMap("annotations") };
}

function parseImage(reader: JsonReader, mediaType: string): ImageManifest {
  const config = parseDescriptor(reader.object("config"));
  if (config.mediaType !== MEDIA_TYPE.ociConfig && config.mediaType !== MEDIA_TYPE.dockerConfig) {
    throw reader.issue("config/mediaType", `"${config.mediaType}" is not an image configuration: this is an artifact`);
  }
  if (config.size > MAX_DOCUMENT_BYTES) {
    throw reader.issue("config/size", `is ${config.size}, and no configuration is longer than ${MAX_DOCUMENT_BYTES}`);
  }
  const layers = reader.objects("layers", MAX_LAYERS).map(parseDescriptor);
  for (const [index, { mediaType: type }] of layers.entries()) {
    if (isForeignLayer(type))
      throw reader.issue(`layers/${index}`, "is a foreign layer, which registries do not serve");
    if (!isLayerMediaType(type)) throw reader.issue(`layers/${index}/mediaType`, `"${type}" is not a layer`);
  }
  return { kind: "manifest", mediaType, config, layers, annotations: reader.stringMap("annotations") };
}

function knownType(mediaType: string): string {
  const known: readonly string[] = Object.values(MEDIA_TYPE);
  return known.includes(mediaType) ? mediaType : "";
}

function refuseSchema1(reader: JsonReader, declared: string, name: string): void {
  const schema1 =
    declared === MEDIA_TYPE.dockerSchema1 ||
    declared === MEDIA_TYPE.dockerSchema1Signed ||
    reader.has("fsLayers") ||
    reader.raw("schemaVersion") === 1;
  if (!schema1) return;
  throw new RuntimeError("INVALID_DOCUMENT", `Cannot use "${name}": its manifest is Docker's schema 1`, {
    hint: "Schema 1 was withdrawn in 2019: rebuild the image, or pull and push it with a tool that converts.",
    details: { issues: [{ pointer: "/schemaVersion", message: "must be 2" }] },
  });
}

/** The bytes of an OCI manifest over these parts. */
export function encodeManifest(config: Descriptor, layers: readonly Descriptor[]): Uint8Array {
  return encodeJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: descriptorToJson(config),
    layers: layers.map(descriptorToJson),
  });
}

/** The bytes of an OCI index. */
export function encodeIndex(manifests: readonly Descriptor[]): Uint8Array {
  return encodeJson({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: manifests.map(descriptorToJson) });
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Everything an image manifest refers to. */
export function manifestBlobs(manifest: ImageManifest): readonly Digest[] {
  return [manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)];
}
