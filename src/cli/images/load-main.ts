/** The code behind `pycri load`. */

import { createReadStream, statSync } from "node:fs";
import { loadDirectory, loadStream } from "../../engine/images/load-image.ts";
import { RuntimeError } from "../../errors.ts";
import { familiarReference } from "../../oci/reference.ts";
import { writeOutput } from "../output.ts";
import { makeLayerProgress } from "./layer-progress.ts";
import type { Invocation } from "../command.ts";
import type { LoadValues } from "./load.ts";
import { openImageStore } from "./image-access.ts";

const CHUNK_BYTES: number = 1024 * 1024;

export async function execute({ values }: Invocation<LoadValues>): Promise<number> {
  const { input } = values;
  const status = input === undefined ? undefined : statSync(input, { throwIfNoEntry: false });
  if (input !== undefined && status === undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot load "${input}": there is no such file or directory`);
  }
  const context = await openImageStore(values);
  const progress = makeLayerProgress(process.stderr.isTTY, values.quiet === true || !process.stderr.isTTY);
  const options = { platform: values.platform, onLayer: progress.onLayer };
  const loaded =
    input !== undefined && status?.isDirectory() === true
      ? await loadDirectory(context, input, options)
      : await loadStream(
          context,
          input === undefined ? process.stdin : createReadStream(input, { highWaterMark: CHUNK_BYTES }),
          input === undefined ? "standard input" : `"${input}"`,
          options,
        );
  progress.finish();
  for (const { id, names } of loaded) {
    for (const name of names) writeOutput(`Loaded image: ${familiarReference(name)}\n`);
    if (names.length === 0) writeOutput(`Loaded image ID: ${id}\n`);
  }
  return 0;
}
