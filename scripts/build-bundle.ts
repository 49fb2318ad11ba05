/**
 * Builds `dist/`: the command line's bundles with their V8 code cache, the library, completions and manual pages.
 *
 * ```
 *   dist/pycri.cjs       the program (package.json "bin"): picks a bundle
 *        run.cjs         `pycri run`, minified, and run.cjs.cache for the Node that built it
 *        full.cjs        every command, likewise
 *        index.js        the library, ESM
 *        types/          its declarations
 *        pycri-helper, *.wasm …   made by the other steps
 * ```
 * Minifying keeps names of classes and functions: error codes and stacks are read by people.
 */

import { chmodSync, mkdirSync } from "node:fs";
import { build as bundle, type BuildOptions } from "esbuild";

/** The oldest Node that package.json admits. */
const TARGET = "node20.19";

/** Loaded at run time as they are: native code. */
const EXTERNAL = ["koffi", "@koromix/*"];

const COMMON: BuildOptions = {
  bundle: true,
  platform: "node",
  target: TARGET,
  minify: true,
  keepNames: false,
  legalComments: "none",
  logLevel: "warning",
  external: EXTERNAL,
};

const DIRECTORY = { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" };

/** Bundles are function expressions with CommonJS's parameters, because the loader compiles them itself. */
const WRAPPED: BuildOptions = {
  ...COMMON,
  format: "cjs",
  banner: { js: "(function(exports,require,module,__filename,__dirname){" },
  footer: { js: "})" },
  define: DIRECTORY,
};

export async function build(root: string): Promise<void> {
  const dist = `${root}dist`;
  mkdirSync(dist, { recursive: true });
  await Promise.all([
    bundle({
      ...COMMON,
      entryPoints: [`${root}src/cli/loader.ts`],
      outfile: `${dist}/pycri.cjs`,
      format: "cjs",
      banner: { js: "#!/usr/bin/env node" },
      define: DIRECTORY,
    }),
    bundle({ ...WRAPPED, entryPoints: [`${root}src/cli/run-entry.ts`], outfile: `${dist}/run.cjs` }),
    bundle({ ...WRAPPED, entryPoints: [`${root}src/cli/full-entry.ts`], outfile: `${dist}/full.cjs` }),
  ]);
  chmodSync(`${dist}/pycri.cjs`, 0o755);
}
