/** The code behind `pycri import`. */

import { createReadStream } from "node:fs";
import { importImage } from "../../engine/images/import-image.ts";
import { parseImageName } from "../../image/storage/image-records.ts";
import { EMPTY_DEFAULTS } from "../../oci/image-config.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { ImportImageValues } from "./import.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<ImportImageValues>): Promise<number> {
  const [file = "-", name] = operands;
  const context = await openImageStore(values);
  const image = await importImage(context, file === "-" ? process.stdin : createReadStream(file), `"${file}"`, {
    name: name === undefined ? null : parseImageName(name),
    platform: values.platform,
    defaults: EMPTY_DEFAULTS,
    comment: values.message ?? `imported from ${file}`,
    onLayer: () => {},
  });
  writeOutput(`${image.id}\n`);
  return 0;
}
