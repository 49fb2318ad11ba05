/**
 * `images.json`: which images the store has, and under which names. An image's id is the digest of its configuration; one
 * image may have many names, or none (then Docker calls it dangling).
 */

import { RuntimeError } from "../../errors.ts";
import { type Digest, parseDigest } from "../../oci/descriptor.ts";
import { readJson } from "../../oci/json-reader.ts";
import {
  type Reference,
  formatReference,
  normalizeReference,
  parseReference,
  qualifyReference,
  repositoryName,
  withDefaultTag,
} from "../../oci/reference.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import type { ImageStore } from "./image-store.ts";

export interface ImageRecord {
  /** Digest of the configuration. */
  readonly id: Digest;
  /** Digest of the image manifest. */
  readonly manifest: Digest;
  /** RFC 3339, or "". */
  readonly created: string;
  /** `os/architecture[/variant]`. */
  readonly platform: string;
  /** Bytes of the unpacked layers. */
  readonly size: number;
  /** `repository@digest` as pulled or pushed: the digest is that of what the registry serves, maybe of an index. */
  readonly repoDigests: readonly string[];
}

export interface ImageRecords {
  readonly images: readonly ImageRecord[];
  /** Full reference with a tag to image id. */
  readonly names: ReadonlyMap<string, Digest>;
}

export const NO_IMAGES: ImageRecords = { images: [], names: new Map() };

const FILE = "images.json";
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_IMAGES = 1_000_000;
const SHORTEST_ID = 1;

export async function readImageRecords(store: ImageStore): Promise<ImageRecords> {
  const text = await store.readText(FILE);
  if (text === null) return NO_IMAGES;
  const reader = readJson(`"${store.path(FILE)}"`, Buffer.from(text), MAX_FILE_BYTES);
  const digest = (value: string): Digest => {
    const parsed = parseDigest(value);
    if (parsed === null) throw reader.issue("images", `"${value}" is not a digest`);
    return parsed;
  };
  return {
    images: reader.objects("images", MAX_IMAGES).map((image) => ({
      id: digest(image.string("id")),
      manifest: digest(image.string("manifest")),
      created: image.string("created"),
      platform: image.string("platform"),
      size: image.integer("size", { minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
      repoDigests: image.strings("repoDigests"),
    })),
    names: new Map(Object.entries(reader.stringMap("names")).map(([name, id]) => [name, digest(id)])),
  };
}

/** Read, change and replace the records as one step that no other process sees half done. */
export async function updateImageRecords<Result>(
  store: ImageStore,
  change: (records: ImageRecords) => { readonly records: ImageRecords; readonly result: Result },
): Promise<Result> {
  await using lock = await store.lockImages();
  const { records, result } = change(await readImageRecords(store));
  await writeImageRecords(store, records);
  return result;
}

/** Replace the records, whatever was there. `updateImageRecords` is for everybody but the repair of a damaged file. */
export async function writeImageRecords(store: ImageStore, records: ImageRecords): Promise<void> {
  const document = { version: 1, images: records.images, names: Object.fromEntries(records.names) };
  await writeFileAtomically(store.path(FILE), `${JSON.stringify(document)}\n`, 0o600);
}

/** The records with this image added or renewed, and `name` (null: none) given to it. */
export function withImage(records: ImageRecords, image: ImageRecord, name: Reference | null): ImageRecords {
  const known = records.images.find(({ id }) => id === image.id);
  const repoDigests = [...new Set([...(known?.repoDigests ?? []), ...image.repoDigests])];
  const names = new Map(records.names);
  if (name !== null && name.tag !== null) names.set(formatReference({ ...name, digest: null }), image.id);
  const others = records.images.filter(({ id }) => id !== image.id);
  return { images: [...others, { ...image, repoDigests }], names };
}

/** The records without these names; images stay. */
export function withoutNames(records: ImageRecords, names: readonly string[]): ImageRecords {
  return { ...records, names: new Map([...records.names].filter(([name]) => !names.includes(name))) };
}

/** The records without this image and its names. */
export function withoutImage(records: ImageRecords, id: Digest): ImageRecords {
  return {
    images: records.images.filter((image) => image.id !== id),
    names: new Map([...records.names].filter(([, target]) => target !== id)),
  };
}

export function namesOf(records: ImageRecords, id: Digest): readonly string[] {
  return [...records.names].filter(([, target]) => target === id).map(([name]) => name);
}

export interface FoundImage {
  readonly image: ImageRecord;
  /** The full reference by which it was found, or null when by its id. */
  readonly name: string | null;
}

/**
 * Find an image by name, `name@digest`, id, or the beginning of an id. `candidates`: the full references a short name
 * may stand for; absent, Docker's.
 */
export function findImage(
  records: ImageRecords,
  text: string,
  candidates?: readonly Reference[],
): FoundImage | undefined {
  return findByName(records, text, candidates) ?? findById(records, text);
}

function findByName(records: ImageRecords, text: string, candidates?: readonly Reference[]): FoundImage | undefined {
  const references = candidates ?? dockerReading(text);
  for (const reference of references) {
    const { tag, digest } = withDefaultTag(reference);
    if (digest !== null) {
      const repoDigest = `${repositoryName(reference)}@${digest}`;
      const image = records.images.find(({ repoDigests }) => repoDigests.includes(repoDigest));
      if (image !== undefined) return { image, name: repoDigest };
      continue;
    }
    const name = formatReference({ ...reference, tag, digest: null });
    const id = records.names.get(name);
    const image = records.images.find((item) => item.id === id);
    if (image !== undefined) return { image, name };
  }
  return undefined;
}

function dockerReading(text: string): readonly Reference[] {
  try {
    return [normalizeReference(text)];
  } catch (error) {
    // An id is not a reference, and is looked for next.
    if (error instanceof RuntimeError && error.code === "INVALID_ARGUMENT") return [];
    throw error;
  }
}

function findById(records: ImageRecords, text: string): FoundImage | undefined {
  const hex = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  if (hex.length < SHORTEST_ID || !/^[0-9a-f]+$/.test(hex)) return undefined;
  const matches = records.images.filter(({ id }) => id.slice(id.indexOf(":") + 1).startsWith(hex));
  if (matches.length > 1) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot tell which image "${text}" means: ${matches.length} ids begin so`,
      {
        details: { ids: matches.map(({ id }) => id) },
      },
    );
  }
  const image = matches[0];
  return image === undefined ? undefined : { image, name: null };
}

/** The image that `text` names. */
export function requireImage(records: ImageRecords, text: string, candidates?: readonly Reference[]): FoundImage {
  const found = findImage(records, text, candidates);
  if (found !== undefined) return found;
  throw new RuntimeError("IMAGE_NOT_FOUND", `No image "${text}" is stored`, {
    hint: `Pull it: pycri pull ${text}`,
    details: { image: text },
  });
}

/** Parse a new name for an image: a tag, never a digest. */
export function parseImageName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest !== null) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot name an image "${text}": a name has no digest`);
  }
  return withDefaultTag(qualifyReference(reference));
}
