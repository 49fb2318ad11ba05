/**
 * Builds `dist/man/`, the manual pages, from the command definitions, and keeps the list of them in package.json, which npm
 * installs them by: it wants every file named.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { COMMANDS } from "../src/cli/commands.ts";
import { manualPages } from "../src/cli/manual/manual-pages.ts";
import { VERSION } from "../src/version.ts";

export async function build(root: string): Promise<void> {
  const folder = `${root}dist/man`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pages = manualPages(COMMANDS, { version: VERSION, date: buildDate() });
  for (const { name, text } of pages) writeFileSync(`${folder}/${name}.1`, text);
  listPages(`${root}package.json`, pages.map(({ name }) => `./dist/man/${name}.1`).toSorted());
}

/** Today, unless a reproducible build says otherwise. */
function buildDate(): string {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  return new Date(epoch === undefined ? Date.now() : Number(epoch) * 1000).toISOString().slice(0, 10);
}

/** Replaces the field `man`, and leaves everything else as it is written. */
function listPages(file: string, paths: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  const list = `"man": [\n${paths.map((path) => `    ${JSON.stringify(path)}`).join(",\n")}\n  ]`;
  const changed = text.replace(/"man": \[[^\]]*\]/, list);
  if (!changed.includes(list)) throw new Error(`${file} has no field "man" to fill`);
  if (changed !== text) writeFileSync(file, changed);
}
