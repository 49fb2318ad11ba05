/** The code behind `pycri image inspect`. */

import { inspectImage } from "../../engine/images/inspect-image.ts";
import type { Invocation } from "../command.ts";
import { writeOutput } from "../output.ts";
import { formatObjects } from "./format-objects.ts";
import { openImageStore } from "./image-access.ts";
import type { ImageInspectValues } from "./image-inspect.ts";

export async function execute({ values, operands }: Invocation<ImageInspectValues>): Promise<number> {
  const context = await openImageStore();
  const images: Record<string, unknown>[] = [];
  for (const text of operands) images.push(await inspectImage(context, text));
  writeOutput(formatObjects(images, values.format));
  return 0;
}
