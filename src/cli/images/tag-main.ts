/** The code behind `pycri tag`. */

import { tagImage } from "../../engine/images/tag-image.ts";
import type { Invocation } from "../command.ts";
import type { TagValues } from "./tag.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ operands }: Invocation<TagValues>): Promise<number> {
  const [image = "", name = ""] = operands;
  await tagImage(await openImageStore(), image, name);
  return 0;
}
