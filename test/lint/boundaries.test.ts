/**
 * Proves that the linter objects: each case plants one forbidden import in a scratch copy of the tree's layout and
 * expects the rule with its reason; its twin, the allowed import, must pass.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { repository } from "../support/repository.ts";

interface Diagnostic {
  readonly code: string;
  readonly message: string;
  readonly help: string;
  readonly filename: string;
}

let scratch = "";

before(() => {
  scratch = mkdtempSync(join(tmpdir(), "pycri-lint-"));
  symlinkSync(join(repository, "oxlint.config.mjs"), join(scratch, "oxlint.config.mjs"));
});
after(() => rmSync(scratch, { recursive: true }));

/** What the linter says about `source` when it stands at `path`. */
function lint(path: string, source: string): readonly Diagnostic[] {
  const file = join(scratch, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  const result = spawnSync(
    process.execPath,
    [join(repository, "node_modules/oxlint/bin/oxlint"), "-c", "oxlint.config.mjs", "--format", "json", path],
    { cwd: scratch, encoding: "utf8" },
  );
  rmSync(file);
  const report = JSON.parse(result.stdout) as { readonly diagnostics: readonly Diagnostic[]; number_of_files: number };
  assert.equal(report.number_of_files, 1, `the linter did not read ${path}: ${result.stdout}${result.stderr}`);
  return report.diagnostics;
}

/** An import that is used, so that no other rule objects. */
const importing = (specifier: string): string =>
  `import * as it from "${specifier}";\nexport const used: unknown = it;\n`;

const FORBIDDEN: readonly (readonly [path: string, specifier: string, reason: RegExp])[] = [
  ["src/plan/a.ts", "node:fs", /src\/plan is pure/],
  ["src/schema/a.ts", "node:path", /src\/schema is pure/],
  ["src/oci/a.ts", "node:url", /src\/oci is pure/],
  ["src/profile/a.ts", "node:fs/promises", /src\/profile is pure/],
  ["src/seccomp/a.ts", "node:buffer", /src\/seccomp is pure/],
  ["src/plan/a.ts", "../host/b.ts", /Imports point downwards: src\/plan/],
  ["src/plan/deep/a.ts", "../../engine/b.ts", /Imports point downwards: src\/plan/],
  ["src/seccomp/a.ts", "../sys/b.ts", /Imports point downwards: src\/seccomp/],
  ["src/seccomp/compile.ts", "../host/b.ts", /Imports point downwards: src\/seccomp/],
  ["src/sys/a.ts", "../engine/b.ts", /Imports point downwards: src\/sys/],
  ["src/host/a.ts", "../cli/b.ts", /Imports point downwards: src\/host/],
  ["src/executor/a.ts", "../engine/b.ts", /Imports point downwards: src\/executor/],
  ["src/engine/a.ts", "../cli/b.ts", /Imports point downwards: src\/engine/],
  ["src/engine/a.ts", "../studio/b.ts", /Imports point downwards: src\/engine/],
  ["src/engine/a.ts", "koffi", /Only src\/sys imports koffi/],
  ["src/cli/a.ts", "ajv", /Only src\/schema imports ajv/],
  ["src/cli/a.ts", "ajv/dist/2020.js", /Only src\/schema imports ajv/],
  ["src/engine/a.ts", "commander", /Only src\/cli imports commander/],
  ["src/seccomp/a.ts", "../../wasm/generated/seccomp.js", /Only src\/seccomp\/compile\.ts loads/],
  ["src/engine/a.ts", "../../wasm/generated/seccomp.js", /Only src\/seccomp\/compile\.ts loads/],
  ["src/seccomp/compile.ts", "@bytecodealliance/jco", /build-time tool/],
];

for (const [path, specifier, reason] of FORBIDDEN) {
  test(`${path} must not import ${specifier}`, () => {
    const forms = [
      importing(specifier),
      `import type { It } from "${specifier}";\nexport type Used = It;\n`,
      `export const later: Promise<unknown> = import("${specifier}");\n`,
      `export { again } from "${specifier}";\n`,
    ];
    const diagnostics = lint(path, forms.join(""));
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      forms.map(() => "eslint(no-restricted-imports)"),
    );
    for (const { help } of diagnostics) assert.match(help, reason);
  });
}

const ALLOWED: readonly (readonly [path: string, specifier: string])[] = [
  ["src/plan/a.ts", "../errors.ts"],
  ["src/plan/a.ts", "../profile/b.ts"],
  ["src/plan/deep/a.ts", "../b.ts"],
  ["src/engine/a.ts", "../host/b.ts"],
  ["src/engine/a.ts", "node:fs"],
  ["src/cli/a.ts", "../engine/b.ts"],
  ["src/cli/a.ts", "commander"],
  ["src/sys/a.ts", "koffi"],
  ["src/schema/a.ts", "ajv"],
  ["src/seccomp/compile.ts", "../../wasm/generated/seccomp.js"],
  ["src/seccomp/compile.ts", "node:fs"],
  ["src/seccomp/compile.ts", "../sys/b.ts"],
];

for (const [path, specifier] of ALLOWED) {
  test(`${path} may import ${specifier}`, () => {
    assert.deepEqual(lint(path, importing(specifier)), []);
  });
}

test("process.env is read in the faces and src/host only", () => {
  const source = "export const home: unknown = process.env['HOME'];\n";
  const refused = lint("src/engine/a.ts", source);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ["eslint(no-restricted-properties)"],
  );
  assert.match(refused[0]?.help ?? "", /src\/cli, src\/library and src\/host only/);
  assert.equal(
    lint("src/engine/a.ts", 'import { env } from "node:process";\nexport const e: unknown = env;\n').length,
    1,
  );
  for (const folder of ["cli", "library", "host"]) assert.deepEqual(lint(`src/${folder}/a.ts`, source), []);
});

test("a pure folder reaches the process through no global either", () => {
  const diagnostics = lint("src/plan/a.ts", "export const home: unknown = process.env['HOME'];\n");
  assert.deepEqual(
    diagnostics.map(({ code, message, help }) => [code, /Pure folders/.test(`${message} ${help}`)]),
    [["eslint(no-restricted-globals)", true]],
  );
  const spec =
    "export const args = (process: { readonly env: readonly string[] }): readonly string[] => process.env;\n";
  assert.deepEqual(lint("src/plan/a.ts", spec), []);
});

test("every folder of src has its boundary", async () => {
  const { MAY_IMPORT } = (await import(join(repository, "oxlint.config.mjs"))) as {
    readonly MAY_IMPORT: Readonly<Record<string, readonly string[]>>;
  };
  const folders = readdirSync(join(repository, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  assert.deepEqual(
    folders.filter((folder) => !(folder in MAY_IMPORT)),
    [],
  );
});
