/**
 * Compiles the JSON Schemas to plain functions (`ajv/standalone`), because compiling one at run time costs 140 ms.
 * Writes `generated/validators.js` beside `src/schema/generated/validators.d.ts`, for the bundles, and to `build/`, for
 * what runs unbundled. A new schema is a line here and one in the declaration.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Ajv } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import { build as bundle } from "esbuild";

/** Exported name → schema file. */
const SCHEMAS = {
  validateSeccompProfile: "profiles/schema/profile.schema.json",
  validateRuleList: "profiles/schema/rules.schema.json",
} as const;

export async function build(root: string): Promise<void> {
  const ajv = new Ajv({
    allErrors: true,
    allowUnionTypes: true,
    strict: true,
    code: { source: true, esm: true, optimize: 2 },
  });
  const names: Record<string, string> = {};
  for (const [name, path] of Object.entries(SCHEMAS)) {
    const schema = JSON.parse(readFileSync(`${root}${path}`, "utf8")) as { readonly $id: string };
    ajv.addSchema(schema);
    names[name] = schema.$id;
  }
  // esbuild resolves the few helpers of ajv's run time into the file.
  const { outputFiles } = await bundle({
    stdin: { contents: standalone.default(ajv, names), resolveDir: root, loader: "js" },
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
  });
  const text = outputFiles[0]?.text ?? "";
  for (const directory of ["src/schema/generated", "build/src/schema/generated"]) {
    mkdirSync(`${root}${directory}`, { recursive: true });
    writeFileSync(`${root}${directory}/validators.js`, text);
  }
}
