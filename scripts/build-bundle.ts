/**
 * Builds `dist/`: the command line's bundles with their V8 code cache, the library and its declarations.
 *
 * ```
 *   dist/pycri.cjs    the program (package.json "bin"): picks a bundle
 *        run.cjs      `pycri run` in its common form, and run.cjs.cache for the Node that built it
 *        full.cjs     every command, likewise
 *        index.js     the library, ESM
 *        types/       its declarations
 * ```
 * `pycri-helper` and the compiler component come from other steps, which must have run: the bundle carries compiled
 * filters.
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { type BuildOptions, build as bundle } from "esbuild";
import { wireVersion } from "../src/plan/encode.ts";
import { compileShippedFilters } from "./compile-shipped-filters.ts";

/** The oldest Node that package.json admits. */
const TARGET = "node20.19";

const COMMON = {
  bundle: true,
  platform: "node",
  target: TARGET,
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  // Native code, loaded as it is.
  external: ["koffi", "@koromix/*"],
} satisfies BuildOptions;

const DIRECTORY = { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" };

/** Bundles are function expressions with CommonJS's parameters, because the loader compiles them itself. */
const WRAPPED = {
  ...COMMON,
  format: "cjs",
  banner: { js: "(function(exports,require,module,__filename,__dirname){" },
  footer: { js: "})" },
} satisfies BuildOptions;

/**
 * The first lines of the program, for sh and for Node alike. `--` keeps Node from reading pycri's own options: Node 20 takes
 * `--env-file` wherever it stands, and would let NODE_OPTIONS of a container's file decide over pycri.
 */
const PROGRAM = `#!/bin/sh
':' //; exec node -- "$0" "$@"`;

export async function build(root: string): Promise<void> {
  const dist = `${root}dist`;
  const entry = (name: string): string => `${root}src/${name}.ts`;
  const filters = compileShippedFilters();
  const define = {
    ...DIRECTORY,
    PYCRI_BUILD: JSON.stringify(await buildDigest(root)),
    PYCRI_FILTERS: JSON.stringify(filters),
    PYCRI_WIRE_VERSION: String(wireVersion()),
  };
  await Promise.all([
    bundle({
      ...COMMON,
      format: "cjs",
      define: DIRECTORY,
      entryPoints: [entry("cli/loader")],
      outfile: `${dist}/pycri.cjs`,
      banner: { js: PROGRAM },
    }),
    bundle({ ...WRAPPED, define, entryPoints: [entry("cli/run-entry")], outfile: `${dist}/run.cjs` }),
    bundle({ ...WRAPPED, define, entryPoints: [entry("cli/full-entry")], outfile: `${dist}/full.cjs` }),
    bundle({
      ...COMMON,
      entryPoints: [entry("image/worker/worker-main")],
      outfile: `${dist}/image-worker.cjs`,
      format: "cjs",
      define: DIRECTORY,
    }),
  ]);
  chmodSync(`${dist}/pycri.cjs`, 0o755);
  for (const name of ["run", "full"]) writeCodeCache(root, `${dist}/${name}.cjs`, name);
}

/** A digest of the code that turns a profile into a filter: what the cache of filters is kept under. */
async function buildDigest(root: string): Promise<string> {
  const { outputFiles } = await bundle({
    ...COMMON,
    format: "cjs",
    define: DIRECTORY,
    write: false,
    entryPoints: [`${root}src/engine/seccomp-program.ts`],
  });
  const hash = createHash("sha256");
  for (const { contents } of outputFiles) hash.update(contents);
  hash.update(readFileSync(`${root}dist/seccomp-component.cjs`));
  return hash.digest("hex").slice(0, 32);
}

/**
 * Writes the code cache of a bundle, taken after a run, so that it holds the functions that a start uses. In a process of
 * its own: V8 puts into the cache what it has compiled.
 */
function writeCodeCache(root: string, file: string, name: string): void {
  const result = spawnSync(process.execPath, [`${root}build/scripts/write-code-cache.js`, file, name], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status !== 0) throw new Error(`Cannot write the code cache of ${file}`);
}
