/** The code behind `pycri history`. */

import { imageHistory } from "../../engine/images/inspect-image.ts";
import { type Column, formatRows } from "../format-rows.ts";
import { writeOutput } from "../output.ts";
import { formatAge, formatBytes } from "./format-size.ts";
import type { Invocation } from "../command.ts";
import type { HistoryValues } from "./history.ts";
import { openImageStore } from "./image-access.ts";

const SHORT_COMMAND = 45;
const COLUMNS: readonly Column[] = [
  { heading: "IMAGE", field: "ID" },
  { heading: "CREATED", field: "CreatedSince" },
  { heading: "CREATED BY", field: "CreatedBy" },
  { heading: "SIZE", field: "Size" },
  { heading: "COMMENT", field: "Comment" },
];

export async function execute({ values, operands }: Invocation<HistoryValues>): Promise<number> {
  const whole = values["no-trunc"] === true;
  const rows = await imageHistory(await openImageStore(), operands[0] ?? "");
  const shown = rows.map(({ id, created, createdBy, size, comment }) => ({
    ID: whole || !id.startsWith("sha256:") ? id : id.slice("sha256:".length, "sha256:".length + 12),
    CreatedSince: formatAge(created, Date.now()),
    CreatedAt: created,
    CreatedBy: whole || createdBy.length <= SHORT_COMMAND ? createdBy : `${createdBy.slice(0, SHORT_COMMAND - 1)}…`,
    Size: formatBytes(size),
    Comment: comment,
  }));
  if (values.quiet === true) writeOutput(shown.map(({ ID }) => `${ID}\n`).join(""));
  else writeOutput(formatRows(shown, COLUMNS, values.format));
  return 0;
}
