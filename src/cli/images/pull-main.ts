/** The code behind `pycri pull`. */

import { addContent, platformOf } from "../../engine/images/image-context.ts";
import { type PullOptions, type PullPolicy, pullImage } from "../../image/pull-image.ts";
import { familiarReference, formatReference } from "../../oci/reference.ts";
import { writeMessage, writeOutput } from "../output.ts";
import { makeLayerProgress } from "./layer-progress.ts";
import type { Invocation } from "../command.ts";
import type { PullValues } from "./pull.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<PullValues>): Promise<number> {
  const context = await openImageStore(values);
  const quiet = values.quiet === true;
  for (const text of operands) {
    const progress = makeLayerProgress(process.stderr.isTTY, quiet);
    const { store, namespace, access, limits, parallel } = context;
    const options: PullOptions = {
      store,
      namespace,
      access,
      limits,
      parallel,
      policy: (values.policy ?? "always") as PullPolicy,
      platform: platformOf(context.facts, values.platform),
      onLayer: progress.onLayer,
      onStart: (reference) => {
        if (!quiet)
          writeMessage(`${reference.tag ?? reference.digest}: Pulling from ${reference.domain}/${reference.path}`);
      },
    };
    const pulled = await addContent(context, async () => pullImage(text, options));
    progress.finish();
    if (!quiet && pulled.digest !== null) {
      const status = pulled.changed ? "Downloaded newer image for" : "Image is up to date for";
      writeOutput(`Digest: ${pulled.digest}\nStatus: ${status} ${familiarReference(pulled.reference)}\n`);
    }
    writeOutput(`${formatReference(pulled.reference)}\n`);
  }
  return 0;
}
