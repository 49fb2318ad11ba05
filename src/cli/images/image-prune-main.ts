/** The code behind `pycri image prune`. */

import { pruneImages } from "../../engine/images/remove-image.ts";
import { writeOutput } from "../output.ts";
import { formatBytes } from "./format-size.ts";
import type { Invocation } from "../command.ts";
import type { ImagePruneValues } from "./image-prune.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values }: Invocation<ImagePruneValues>): Promise<number> {
  const { images, bytes } = await pruneImages(await openImageStore(), values.all === true, values.filter ?? []);
  for (const id of images) writeOutput(`deleted: ${id}\n`);
  writeOutput(`Total reclaimed space: ${formatBytes(bytes)}\n`);
  return 0;
}
