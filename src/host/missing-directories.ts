/** Which directories of a path do not exist yet. */

import { lstatSync } from "node:fs";
import { dirname } from "node:path";

/** Every missing directory of an absolute path, outermost first; empty when there is something at the path. */
export function missingDirectories(path: string): readonly string[] {
  const missing: string[] = [];
  for (let at = path; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at)) missing.unshift(at);
  return missing;
}
