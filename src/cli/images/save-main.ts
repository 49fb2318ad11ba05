/** The code behind `pycri save`. */

import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type ArchiveFormat, findImagesToSave, saveDirectory, saveStream } from "../../engine/images/load-image.ts";
import { RuntimeError } from "../../errors.ts";
import type { Invocation } from "../command.ts";
import type { SaveValues } from "./save.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<SaveValues>): Promise<number> {
  const format = (values.format ?? "docker-archive") as ArchiveFormat;
  const { output } = values;
  if (output === undefined && (process.stdout.isTTY || format === "oci-dir")) {
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot save to the terminal", { hint: "Give --output, or redirect." });
  }
  const context = await openImageStore();
  const images = await findImagesToSave(context, operands);
  if (format === "oci-dir") {
    await saveDirectory(context, images, output ?? "");
  } else {
    await pipeline(
      saveStream(context, images, format),
      output === undefined ? process.stdout : createWriteStream(output),
    );
  }
  return 0;
}
