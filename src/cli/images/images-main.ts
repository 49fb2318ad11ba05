/** The code behind `pycri images`. */

import { listImages } from "../../engine/images/list-images.ts";
import { digestHex } from "../../oci/descriptor.ts";
import { type Column, formatRows } from "../format-rows.ts";
import { formatAge, formatBytes } from "./format-size.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { ImagesValues } from "./images.ts";
import { openImageStore } from "./image-access.ts";

const SHORT_ID = 12;
const COLUMNS: readonly Column[] = [
  { heading: "REPOSITORY", field: "Repository" },
  { heading: "TAG", field: "Tag" },
  { heading: "DIGEST", field: "Digest" },
  { heading: "IMAGE ID", field: "ID" },
  { heading: "CREATED", field: "CreatedSince" },
  { heading: "SIZE", field: "Size" },
];

export async function execute({ values, operands }: Invocation<ImagesValues>): Promise<number> {
  const rows = await listImages(await openImageStore(), operands[0], values.filter ?? []);
  const shown = rows.map(({ id, repository, tag, digest, created, size, platform }) => ({
    ID: values["no-trunc"] === true ? id : digestHex(id).slice(0, SHORT_ID),
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedSince: formatAge(created, Date.now()),
    CreatedAt: created,
    Size: formatBytes(size),
    Platform: platform,
  }));
  if (values.quiet === true) {
    writeOutput([...new Set(shown.map(({ ID }) => `${ID}\n`))].join(""));
    return 0;
  }
  const columns = values.digests === true ? COLUMNS : COLUMNS.filter(({ field }) => field !== "Digest");
  writeOutput(formatRows(shown, columns, values.format));
  return 0;
}
