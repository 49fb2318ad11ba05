/** Bundles as `src/sys/bundle.ts` loads them, and the V8 code caches beside them, for the Node that builds. */

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BuildOptions } from "esbuild";

/** A bundle's form: its loader compiles it itself. */
export const FUNCTION_EXPRESSION: Pick<BuildOptions, "format" | "banner" | "footer"> = {
  format: "cjs",
  banner: { js: "(function(exports,require,module,__filename,__dirname){" },
  footer: { js: "})" },
};

/** A code cache goes before its bundle changes: V8 tells one bundle from another by its length alone. */
export function removeCodeCaches(file: string): void {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(file)}.`) && name.endsWith(".cache")) rmSync(join(folder, name));
  }
}

/**
 * Writes the code cache of a bundle, taken after its functions have run, so that it holds them. In a process of its own: V8
 * puts into the cache what it has compiled.
 */
export function writeCodeCache(root: string, file: string): void {
  const result = spawnSync(process.execPath, [join(root, "build/scripts/write-code-cache.js"), file], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status !== 0) throw new Error(`Cannot write the code cache of ${file}`);
}
