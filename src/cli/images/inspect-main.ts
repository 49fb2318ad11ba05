/** The code behind `pycri inspect`. */

import { inspectImage } from "../../engine/images/inspect-image.ts";
import type { ImageContext } from "../../engine/images/image-context.ts";
import { inspectContainer } from "../../engine/inspect-container.ts";
import { RuntimeError } from "../../errors.ts";
import type { Invocation } from "../command.ts";
import { writeOutput } from "../output.ts";
import { openImageStore } from "./image-access.ts";
import type { InspectValues } from "./inspect.ts";
import { formatObjects } from "./format-objects.ts";

export async function execute({ values, operands }: Invocation<InspectValues>): Promise<number> {
  const context = await openImageStore();
  const found: Record<string, unknown>[] = [];
  for (const name of operands) found.push(await inspect(context, name, values.type));
  writeOutput(formatObjects(found, values.format));
  return 0;
}

/** A container goes before an image of the same name, as with Docker. */
async function inspect(
  context: ImageContext,
  name: string,
  type: string | undefined,
): Promise<Record<string, unknown>> {
  if (type === "image") return inspectImage(context, name);
  try {
    return inspectContainer(context.facts.runtimeDirectory, name);
  } catch (error) {
    if (type === "container" || !isCode(error, "CONTAINER_NOT_FOUND")) throw error;
  }
  try {
    return await inspectImage(context, name);
  } catch (error) {
    if (!isCode(error, "IMAGE_NOT_FOUND")) throw error;
    throw new RuntimeError("CONTAINER_NOT_FOUND", `Cannot find "${name}": it is neither a container nor an image`, {
      hint: "'pycri ps --all' and 'pycri images' list what there is",
      details: { wanted: name },
    });
  }
}

function isCode(error: unknown, code: RuntimeError["code"]): boolean {
  return error instanceof RuntimeError && error.code === code;
}
