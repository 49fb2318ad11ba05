/** The code behind `pycri untag`. */

import { untagImage } from "../../engine/images/remove-image.ts";
import type { Invocation } from "../command.ts";
import type { UntagValues } from "./untag.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ operands }: Invocation<UntagValues>): Promise<number> {
  const [image = "", ...names] = operands;
  await untagImage(await openImageStore(), image, names);
  return 0;
}
