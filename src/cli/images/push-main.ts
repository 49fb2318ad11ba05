/** The code behind `pycri push`. */

import { findStoredImage } from "../../engine/images/image-context.ts";
import { pushImage } from "../../image/push-image.ts";
import { digestHex } from "../../oci/descriptor.ts";
import { formatReference, normalizeReference } from "../../oci/reference.ts";
import { writeMessage, writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { PushValues } from "./push.ts";
import { openImageStore } from "./image-access.ts";

const WORDS = { exists: "Layer already exists", pushing: "Pushing", mounted: "Mounted", pushed: "Pushed" } as const;

export async function execute({ values, operands }: Invocation<PushValues>): Promise<number> {
  const [text = "", target] = operands;
  const context = await openImageStore(values);
  const { image, name } = await findStoredImage(context, text);
  const destination = normalizeReference(target ?? name ?? text);
  const { store, access, parallel } = context;
  const { digest, size } = await pushImage(image, destination, {
    store,
    access,
    parallel,
    onBlob: (event) => {
      if (values.quiet !== true) writeMessage(`${digestHex(event.digest).slice(0, 12)}: ${WORDS[event.state]}`);
    },
  });
  if (values.quiet !== true) writeOutput(`${destination.tag ?? "latest"}: digest: ${digest} size: ${size}\n`);
  else writeOutput(`${formatReference(destination)}\n`);
  return 0;
}
