/** The code behind `pycri image inspect`. */

import { inspectImage } from "../../engine/images/inspect-image.ts";
import { parseTemplate } from "../go-template.ts";
import { writeJson, writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { ImageInspectValues } from "./image-inspect.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<ImageInspectValues>): Promise<number> {
  const context = await openImageStore();
  const images: Record<string, unknown>[] = [];
  for (const text of operands) images.push(await inspectImage(context, text));
  if (values.format === undefined || values.format === "json") {
    writeJson(images);
    return 0;
  }
  const template = parseTemplate(values.format);
  for (const image of images) writeOutput(`${template(image)}\n`);
  return 0;
}
