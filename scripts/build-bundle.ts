/**
 * Builds `dist/`: the command line's bundles with their V8 code cache, the library and its declarations.
 *
 * ```
 *   dist/pycri.cjs    the program (package.json "bin"): picks a bundle
 *        run.cjs      `pycri run` in its common form, and run.cjs.*.cache for the Node that built it
 *        full.cjs     every command, likewise
 *        index.js     the library, ESM
 *        types/       its declarations
 * ```
 * `pycri-helper` and the compiler component come from other steps, which must have run: the bundle carries compiled
 * filters.
 */

import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuildOptions, build as bundle } from "esbuild";
import { wireVersion } from "../src/plan/encode.ts";
import { FUNCTION_EXPRESSION, removeCodeCaches, writeCodeCache } from "./code-cache.ts";
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

/** An ES module knows its place by itself. */
const OWN_DIRECTORY = {
  "import.meta.dirname": "import.meta.dirname",
  "import.meta.filename": "import.meta.filename",
};

const WRAPPED = { ...COMMON, ...FUNCTION_EXPRESSION } satisfies BuildOptions;

/**
 * The first lines of the program, for sh and for Node alike. `--` keeps Node from reading pycri's own options: Node 20 takes
 * `--env-file` wherever it stands, and would let NODE_OPTIONS of a container's file decide over pycri.
 */
const PROGRAM = `#!/bin/sh
':' //; exec node -- "$0" "$@"`;

export async function build(root: string): Promise<void> {
  const dist = `${root}dist`;
  // Chunks are named after their contents; those of earlier builds are in nobody's way, but would be published.
  for (const name of readdirSync(dist)) if (/^library-.*\.js$/.test(name)) rmSync(`${dist}/${name}`);
  const cached = [`${dist}/run.cjs`, `${dist}/full.cjs`];
  for (const file of cached) removeCodeCaches(file);
  rmSync(`${dist}/types`, { recursive: true, force: true });
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
    bundle({
      ...WRAPPED,
      define,
      entryPoints: [entry("cli/run-entry")],
      outfile: `${dist}/run.cjs`,
      // What asks systemd goes to the full bundle before.
      external: [...COMMON.external, "*/systemd-bus.ts"],
    }),
    bundle({ ...WRAPPED, define, entryPoints: [entry("cli/full-entry")], outfile: `${dist}/full.cjs` }),
    bundle({
      ...COMMON,
      format: "esm",
      minify: false,
      minifySyntax: true,
      // Names stay, for whoever reads a stack trace.
      // What a plain run does not need (images, D-Bus, the compiler) is loaded when it is, from chunks beside the entry:
      // files are found relative to either.
      splitting: true,
      define: { ...define, ...OWN_DIRECTORY },
      entryPoints: { index: entry("index") },
      outdir: dist,
      chunkNames: "library-[hash]",
      // Bundled CommonJS packages ask for Node's modules.
      banner: {
        js: 'import{createRequire as pycriRequire}from"node:module";const require=pycriRequire(import.meta.url);',
      },
    }),
    bundle({
      ...COMMON,
      entryPoints: [entry("image/worker/worker-main")],
      outfile: `${dist}/image-worker.cjs`,
      format: "cjs",
      define: DIRECTORY,
    }),
  ]);
  chmodSync(`${dist}/pycri.cjs`, 0o755);
  for (const file of cached) writeCodeCache(root, file);
  copyDeclarations(root, `${dist}/types/`, "index.d.ts");
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
  for (const name of ["seccomp-component.cjs", "component/seccomp.core.wasm"]) {
    hash.update(readFileSync(`${root}dist/${name}`));
  }
  return hash.digest("hex").slice(0, 32);
}

/**
 * Copies a declaration file that tsc has emitted, and those it imports; those of the component (`../wasm/generated/…`) are
 * committed and not emitted.
 */
function copyDeclarations(root: string, to: string, file: string, done: Set<string> = new Set()): void {
  if (done.has(file)) return;
  done.add(file);
  const text = readFileSync(join(root, file.startsWith("../") ? "src" : "build/src", file), "utf8");
  mkdirSync(dirname(`${to}${file}`), { recursive: true });
  // A consumer's compiler does not take .ts in an import.
  const portable = text
    .replace(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"')
    .replace(/^\/\/# sourceMappingURL=.*\n?/m, "");
  writeFileSync(`${to}${file}`, portable);
  for (const [, imported = ""] of portable.matchAll(/(?:from |import\()["'](\.[^"']+)\.js["']/g)) {
    copyDeclarations(root, to, join(dirname(file), `${imported}.d.ts`), done);
  }
}
