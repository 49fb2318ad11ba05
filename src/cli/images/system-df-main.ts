/** The code behind `pycri system df`. */

import { storeUsage } from "../../engine/images/store-usage.ts";
import { type Column, formatRows } from "../format-rows.ts";
import { writeOutput } from "../output.ts";
import { formatBytes } from "./format-size.ts";
import type { Invocation } from "../command.ts";
import type { SystemDfValues } from "./system-df.ts";
import { openImageStore } from "./image-access.ts";

const COLUMNS: readonly Column[] = [
  { heading: "TYPE", field: "Type" },
  { heading: "TOTAL", field: "TotalCount" },
  { heading: "SIZE", field: "Size" },
  { heading: "RECLAIMABLE", field: "Reclaimable" },
];

export async function execute({ values }: Invocation<SystemDfValues>): Promise<number> {
  const { images, layers, blobs } = await storeUsage(await openImageStore());
  const rows = [
    {
      Type: "Images",
      TotalCount: images,
      Size: formatBytes(layers.bytes),
      Reclaimable: formatBytes(layers.unusedBytes),
    },
    {
      Type: "Layers",
      TotalCount: layers.count,
      Size: formatBytes(layers.bytes),
      Reclaimable: formatBytes(layers.unusedBytes),
    },
    { Type: "Blobs", TotalCount: blobs.count, Size: formatBytes(blobs.bytes), Reclaimable: formatBytes(0) },
  ];
  writeOutput(formatRows(rows, COLUMNS, values.format));
  return 0;
}
