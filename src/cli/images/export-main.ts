/** The code behind `pycri export`. */

import { exportContainer } from "../../engine/images/export-container.ts";
import type { Invocation } from "../command.ts";
import { writeArchive } from "./archive-output.ts";
import type { ExportValues } from "./export.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<ExportValues>): Promise<number> {
  await writeArchive(exportContainer(await openImageStore(), operands[0] ?? ""), values.output);
  return 0;
}
