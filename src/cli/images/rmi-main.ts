/** The code behind `pycri rmi`. */

import { removeImage } from "../../engine/images/remove-image.ts";
import { familiarReference, normalizeReference } from "../../oci/reference.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { RmiValues } from "./rmi.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<RmiValues>): Promise<number> {
  const context = await openImageStore();
  for (const text of operands) {
    for (const event of await removeImage(context, text, values.force === true)) {
      writeOutput(
        event.kind === "untagged"
          ? `Untagged: ${familiarReference(normalizeReference(event.name))}\n`
          : `Deleted: ${event.id}\n`,
      );
    }
  }
  return 0;
}
