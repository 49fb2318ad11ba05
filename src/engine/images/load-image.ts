/** `pycri load` and `pycri save`: images out of archives and layout directories, and into them. */

import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { directoryMembers, readTarMembers } from "../../image/archive/members.ts";
import { plainStream, readArchivedImages } from "../../image/archive/read-archive.ts";
import {
  type SavedImage,
  writeDockerArchive,
  writeOciArchive,
  writeOciDirectory,
} from "../../image/archive/write-archive.ts";
import { LayerAccount } from "../../image/layer/limits.ts";
import { type LayerEvent, addImage } from "../../image/storage/add-image.ts";
import { namesOf, readImageRecords } from "../../image/storage/image-records.ts";
import { RuntimeError } from "../../errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { Reference } from "../../oci/reference.ts";
import { type ImageContext, addContent, findStoredImage, platformOf } from "./image-context.ts";

export interface LoadedImage {
  readonly id: Digest;
  readonly names: readonly Reference[];
}

export interface LoadOptions {
  readonly platform: string | undefined;
  readonly onLayer: (event: LayerEvent) => void;
}

/** Load every image of an archive that comes as a stream. `source` stands in messages. */
export async function loadStream(
  context: ImageContext,
  stream: Readable,
  source: string,
  options: LoadOptions,
): Promise<readonly LoadedImage[]> {
  return addContent(context, async () => {
    await using held = await context.store.holdAgainstCollection();
    const account = new LayerAccount(context.limits);
    const plain = await plainStream(stream, context.namespace.zstdProgram, account);
    await using members = await readTarMembers(context.store, plain, source, account);
    return await addAll(context, members, source, options);
  });
}

/** Load the images of a directory with an OCI layout. */
export async function loadDirectory(
  context: ImageContext,
  directory: string,
  options: LoadOptions,
): Promise<readonly LoadedImage[]> {
  return addContent(context, async () => {
    await using held = await context.store.holdAgainstCollection();
    await using members = directoryMembers(context.store, directory);
    return await addAll(context, members, `"${directory}"`, options);
  });
}

async function addAll(
  context: ImageContext,
  members: ReturnType<typeof directoryMembers>,
  source: string,
  options: LoadOptions,
): Promise<readonly LoadedImage[]> {
  const { store, namespace, limits, parallel, facts } = context;
  const platform = platformOf(facts, options.platform);
  const loaded: LoadedImage[] = [];
  for (const archived of await readArchivedImages(store, members, platform, source)) {
    const image = await addImage(archived, {
      store,
      namespace,
      limits,
      parallel,
      onLayer: options.onLayer,
      fetchLayer: async ({ digest }) => {
        throw new Error(`the layer ${digest} was read with its image`);
      },
      names: archived.names,
      repoDigests: [],
    });
    loaded.push({ id: image.id, names: archived.names });
  }
  return loaded;
}

export type ArchiveFormat = "docker-archive" | "oci-archive" | "oci-dir";

/** The images that these words name; a word that is a name saves that name, an id saves none. */
export async function findImagesToSave(
  context: ImageContext,
  words: readonly string[],
): Promise<readonly SavedImage[]> {
  const records = await readImageRecords(context.store);
  const saved = new Map<Digest, SavedImage>();
  for (const word of words) {
    const { image, name } = await findStoredImage(context, word);
    const known = saved.get(image.id)?.names ?? [];
    const named = name !== null && namesOf(records, image.id).includes(name) ? [name] : [];
    saved.set(image.id, { image, names: [...new Set([...known, ...named])] });
  }
  return [...saved.values()];
}

/** The bytes of an archive with these images. */
export function saveStream(
  context: ImageContext,
  images: readonly SavedImage[],
  format: Exclude<ArchiveFormat, "oci-dir">,
): AsyncIterable<Uint8Array> {
  return format === "oci-archive"
    ? writeOciArchive(context.store, images)
    : writeDockerArchive(context.store, images, context.namespace.zstdProgram);
}

/** Write a layout directory, which must not exist or be empty. */
export async function saveDirectory(
  context: ImageContext,
  images: readonly SavedImage[],
  directory: string,
): Promise<void> {
  const exists = await stat(`${directory}/index.json`).then(
    () => true,
    () => false,
  );
  if (exists)
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot save to "${directory}": it has an image layout already`);
  await writeOciDirectory(context.store, images, directory);
}
