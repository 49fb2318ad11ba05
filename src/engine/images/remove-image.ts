/** `pycri rmi` and `pycri untag`: names go first; an image goes with its last name, its content with the last image. */

import { collectGarbage, type Collected } from "../../image/storage/collect-garbage.ts";
import {
  type ImageRecords,
  findImage,
  namesOf,
  readImageRecords,
  requireImage,
  updateImageRecords,
  withoutImage,
  withoutNames,
} from "../../image/storage/image-records.ts";
import { RuntimeError } from "../../errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { listContainers } from "../../store/container-store.ts";
import { type ImageContext, readingsOf } from "./image-context.ts";
import { parsePruneFilter } from "./prune-filter.ts";

export type RemovalEvent =
  | { readonly kind: "untagged"; readonly name: string }
  | { readonly kind: "deleted"; readonly id: Digest };

/** Remove what `text` names. By name: that name, and the image when it was the last. By id: the image, if it has one name at most or with `force`. */
export async function removeImage(
  context: ImageContext,
  text: string,
  force: boolean,
): Promise<readonly RemovalEvent[]> {
  const readings = readingsOf(context, text);
  const events = await updateImageRecords(context.store, (records) => {
    const { image, name } = requireImage(records, text, readings);
    const names = namesOf(records, image.id);
    const tagged = name !== null && names.includes(name);
    if (tagged && names.length > 1) {
      return { records: withoutNames(records, [name]), result: [untagged(name)] };
    }
    if (!tagged && names.length > 1 && !force) {
      throw new RuntimeError("IMAGE_IN_USE", `Cannot remove "${text}": the image has ${names.length} names`, {
        hint: `Remove the names (${names.join(", ")}), or use --force.`,
        details: { names },
      });
    }
    const users = force ? [] : containersOf(context, image.id);
    if (users.length > 0) {
      throw new RuntimeError(
        "IMAGE_IN_USE",
        `Cannot remove "${text}": the container "${users.join('", "')}" was made of it`,
        {
          hint: `Remove the container (pycri rm ${users.join(" ")}), or use --force: it keeps the layers it needs.`,
          details: { containers: users },
        },
      );
    }
    const result: RemovalEvent[] = [...names.map(untagged), { kind: "deleted", id: image.id }];
    return { records: withoutImage(records, image.id), result };
  });
  // While a pull runs, its content is not to be told from garbage: then the next removal takes it.
  await using lock = await context.store.holdForCollection(false);
  if (lock !== null) await collectGarbage(context.store, context.namespace, { leftContainers: false });
  return events;
}

/** Names, or ids, of the containers that an image is the root filesystem of. */
function containersOf({ facts }: ImageContext, id: Digest): readonly string[] {
  return listContainers(facts.runtimeDirectory)
    .filter(({ config }) => config.image?.id === id)
    .map(({ config }) => config.name ?? config.id.slice(0, 12));
}

function untagged(name: string): RemovalEvent {
  return { kind: "untagged", name };
}

/** Take names away from an image and keep it; without `names`, all of them. */
export async function untagImage(
  context: ImageContext,
  text: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const readings = readingsOf(context, text);
  const wanted = names.map((name) => ({ name, readings: readingsOf(context, name) }));
  return updateImageRecords(context.store, (records) => {
    const { image } = requireImage(records, text, readings);
    const taken =
      wanted.length === 0
        ? namesOf(records, image.id)
        : wanted.map(({ name, readings: candidates }) => nameOf(records, image.id, name, candidates));
    return { records: withoutNames(records, taken), result: taken };
  });
}

function nameOf(records: ImageRecords, id: Digest, text: string, candidates: ReturnType<typeof readingsOf>): string {
  const found = findImage(records, text, candidates);
  if (found?.image.id === id && found.name !== null) return found.name;
  throw new RuntimeError("IMAGE_NOT_FOUND", `The image has no name "${text}"`, { details: { name: text } });
}

/**
 * `pycri image prune`: images without a name (`all`: every one that no container was made of), and garbage.
 * `filters`: `until=…`, `label=…`, `label!=…`, of which all must hold.
 */
export async function pruneImages(
  context: ImageContext,
  all: boolean,
  filters: readonly string[],
): Promise<Collected & { readonly images: readonly Digest[] }> {
  const tests = filters.map((filter) => parsePruneFilter(filter, Date.now()));
  await using lock = await context.store.holdForCollection(true);
  const records = await readImageRecords(context.store);
  const removed: Digest[] = [];
  for (const { id, created } of records.images) {
    if (containersOf(context, id).length > 0 || (!all && namesOf(records, id).length > 0)) continue;
    // Without filters, images with a damaged configuration go, too.
    const labels = tests.length === 0 ? {} : parseImageConfig(await context.store.readDocument(id), id).defaults.labels;
    if (tests.every((test) => test({ created, labels }))) removed.push(id);
  }
  await updateImageRecords(context.store, (records) => ({
    records: removed.reduce(withoutImage, records),
    result: undefined,
  }));
  return { images: removed, ...(await collectGarbage(context.store, context.namespace, { leftContainers: true })) };
}
