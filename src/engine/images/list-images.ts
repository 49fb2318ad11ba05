/** `pycri images`: one row for each name of an image, one for an image without any. */

import { type ImageRecord, namesOf, readImageRecords } from "../../image/storage/image-records.ts";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestHex } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { familiarRepository, normalizeReference, parseReference, qualifyReference } from "../../oci/reference.ts";
import type { ImageContext } from "./image-context.ts";

export interface ImageRow {
  readonly id: Digest;
  /** Docker's short form, or "<none>". */
  readonly repository: string;
  readonly tag: string;
  /** Digest that the registry serves under the repository, or "<none>". */
  readonly digest: string;
  /** RFC 3339, or "". */
  readonly created: string;
  /** Bytes, unpacked. */
  readonly size: number;
  readonly platform: string;
  readonly labels: Readonly<Record<string, string>>;
}

const NONE = "<none>";

/** Newest first. `filters`: `dangling=true`, `label=…`, `reference=…`, `before=…`, `since=…`. */
export async function listImages(
  context: ImageContext,
  pattern: string | undefined,
  filters: readonly string[],
): Promise<readonly ImageRow[]> {
  const records = await readImageRecords(context.store);
  const rows: ImageRow[] = [];
  for (const image of records.images) {
    const { defaults } = parseImageConfig(await context.store.readDocument(image.id), image.id);
    const names = namesOf(records, image.id);
    rows.push(
      ...(names.length === 0
        ? [rowOf(image, null, defaults.labels)]
        : names.map((name) => rowOf(image, name, defaults.labels))),
    );
  }
  const tests = [
    ...filters.map((filter) => parseFilter(filter, rows)),
    ...(pattern === undefined ? [] : [referenceFilter(pattern)]),
  ];
  return rows
    .filter((row) => tests.every((test) => test(row)))
    .toSorted((a, b) => b.created.localeCompare(a.created) || a.repository.localeCompare(b.repository));
}

function rowOf(image: ImageRecord, name: string | null, labels: Readonly<Record<string, string>>): ImageRow {
  const { id, created, size, platform } = image;
  const common = { id, created, size, platform, labels };
  if (name === null) {
    const [known] = image.repoDigests;
    const [repository = NONE, digest = NONE] = known?.split("@") ?? [];
    const short = known === undefined ? NONE : familiarRepository(qualifyReference(parseReference(repository)));
    return { ...common, repository: short, tag: NONE, digest };
  }
  const reference = normalizeReference(name);
  const repository = `${reference.domain}/${reference.path}`;
  const digest = image.repoDigests.find((text) => text.startsWith(`${repository}@`))?.split("@")[1] ?? NONE;
  return { ...common, repository: familiarRepository(reference), tag: reference.tag ?? NONE, digest };
}

type RowTest = (row: ImageRow) => boolean;

function parseFilter(filter: string, rows: readonly ImageRow[]): RowTest {
  const equals = filter.indexOf("=");
  const key = filter.slice(0, Math.max(equals, 0));
  const value = filter.slice(equals + 1);
  switch (key) {
    case "dangling":
      return ({ tag }) => (tag === NONE) === (value === "true" || value === "1");
    case "label": {
      const [name = "", wanted] = value.split(/=(.*)/s);
      return ({ labels }) => Object.hasOwn(labels, name) && (wanted === undefined || labels[name] === wanted);
    }
    case "reference":
      return referenceFilter(value);
    case "before":
    case "since": {
      const other = rows.find((row) => matchesImage(row, value));
      if (other === undefined) throw new RuntimeError("IMAGE_NOT_FOUND", `No image "${value}" is stored`);
      return ({ created }) => (key === "before" ? created < other.created : created > other.created);
    }
    default:
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot filter images by "${filter}"`, {
        hint: "Filters are dangling=, label=, reference=, before= and since=.",
      });
  }
}

function matchesImage(row: ImageRow, text: string): boolean {
  return digestHex(row.id).startsWith(text) || `${row.repository}:${row.tag}` === text || row.repository === text;
}

/** A shell pattern over the repository, or over repository and tag; `*` stops at a slash. */
function referenceFilter(pattern: string): RowTest {
  const colon = pattern.lastIndexOf(":");
  const hasTag = colon > pattern.lastIndexOf("/");
  const repository = globOf(hasTag ? pattern.slice(0, colon) : pattern);
  const tag = globOf(hasTag ? pattern.slice(colon + 1) : "*");
  return (row) => repository.test(row.repository) && tag.test(row.tag);
}

function globOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll("*", "[^/]*").replaceAll("?", "[^/]")}$`);
}
