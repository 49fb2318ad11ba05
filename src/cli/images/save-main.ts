/** The code behind `pycri save`. */

import { type ArchiveFormat, findImagesToSave, saveDirectory, saveStream } from "../../engine/images/load-image.ts";
import { RuntimeError } from "../../errors.ts";
import type { Invocation } from "../command.ts";
import { writeArchive } from "./archive-output.ts";
import type { SaveValues } from "./save.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<SaveValues>): Promise<number> {
  const format = (values.format ?? "docker-archive") as ArchiveFormat;
  const { output } = values;
  if (output === undefined && format === "oci-dir") {
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot save a directory without --output");
  }
  const context = await openImageStore();
  const images = await findImagesToSave(context, operands);
  if (format === "oci-dir") {
    await saveDirectory(context, images, output ?? "");
  } else {
    await writeArchive(saveStream(context, images, format), output);
  }
  return 0;
}
