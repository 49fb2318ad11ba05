/** Lists as Docker prints them: aligned columns under headings, or what `--format` says. Pure. */

import { parseTemplate } from "./go-template.ts";

export interface Column {
  readonly heading: string;
  /** Name of the row's field. */
  readonly field: string;
}

export type Row = Readonly<Record<string, unknown>>;

const GAP = "   ";

/**
 * The text of a list. `format`: undefined for the columns; `json` for one JSON object a line; `table TEMPLATE` for columns
 * of one's own, separated by tabs; any other template once for each row.
 */
export function formatRows(rows: readonly Row[], columns: readonly Column[], format: string | undefined): string {
  if (format === undefined || format === "table") {
    return align([
      columns.map(({ heading }) => heading),
      ...rows.map((row) => columns.map(({ field }) => String(row[field]))),
    ]);
  }
  if (format === "json") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const isTable = format.startsWith("table ");
  const source = (isTable ? format.slice("table ".length) : format)
    .replaceAll(String.raw`\t`, "\t")
    .replaceAll(String.raw`\n`, "\n");
  const template = parseTemplate(source);
  if (!isTable) return rows.map((row) => `${template(row)}\n`).join("");
  const headings = Object.fromEntries(columns.map(({ field, heading }) => [field, heading]));
  const names =
    rows[0] === undefined
      ? headings
      : { ...Object.fromEntries(Object.keys(rows[0]).map((key) => [key, key.toUpperCase()])), ...headings };
  return align([template(names).split("\t"), ...rows.map((row) => template(row).split("\t"))]);
}

function align(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)));
      return `${cells.join(GAP).trimEnd()}\n`;
    })
    .join("");
}
