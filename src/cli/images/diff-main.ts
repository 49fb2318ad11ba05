/** The code behind `pycri diff`. */

import { diffContainer } from "../../engine/images/export-container.ts";
import type { Invocation } from "../command.ts";
import { formatRows } from "../format-rows.ts";
import { writeOutput } from "../output.ts";
import type { DiffValues } from "./diff.ts";
import { openImageStore } from "./image-access.ts";

const COLUMNS = [
  { heading: "CHANGE TYPE", field: "Type" },
  { heading: "PATH", field: "Path" },
];

export async function execute({ values, operands }: Invocation<DiffValues>): Promise<number> {
  const changes = await diffContainer(await openImageStore(), operands[0] ?? "");
  const rows = changes.map(({ kind, path }) => ({ Type: kind, Path: path }));
  if (values.format === undefined) writeOutput(rows.map(({ Type, Path }) => `${Type} ${Path}\n`).join(""));
  else writeOutput(formatRows(rows, COLUMNS, values.format));
  return 0;
}
