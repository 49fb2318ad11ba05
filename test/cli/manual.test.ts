/** The manual pages: one for every public command, accepted without a warning by both of the formatters in use. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { manualPages } from "../../src/cli/manual/manual-pages.ts";
import { escapeText } from "../../src/cli/manual/roff.ts";
import { repository } from "../support/repository.ts";
import { programTest } from "../support/optional-program.ts";

const pages = manualPages(COMMANDS, { version: "1.2.3", date: "2026-01-31" });

test("every public command has a page, and package.json names them all", () => {
  const wanted = COMMANDS.filter(({ internal }) => internal !== true).map(({ path }) => ["pycri", ...path].join("-"));
  assert.deepEqual(pages.map(({ name }) => name).toSorted(), ["pycri", ...wanted].toSorted());
  const { man } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { man: readonly string[] };
  assert.deepEqual(
    man,
    pages.map(({ name }) => `./dist/man/${name}.1`).toSorted(),
    "node scripts/build.mjs manual brings package.json up to date",
  );
});

test("text is text: no request, no escape, no other character set", () => {
  assert.equal(escapeText(".TH\n'x"), "\\&.TH\n\\&'x");
  assert.equal(escapeText('a\\n "b" -x …'), "a\\en \\(dqb\\(dq \\-x \\[u2026]");
});

function render(program: string, args: readonly string[], text: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { input: text, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

programTest("mandoc finds nothing to warn of", "mandoc", () => {
  for (const { name, text } of pages) {
    assert.deepEqual(
      { name, ...render("mandoc", ["-T", "lint", "-W", "warning"], text) },
      { name, status: 0, output: "" },
    );
  }
  const { output } = render("mandoc", ["-T", "lint", "-W", "warning"], ".TH x\n.XX\n");
  assert.notEqual(output, "", "mandoc warns of a bad page");
});

programTest("groff finds nothing to warn of, and shows every option of run", "groff", () => {
  for (const { name, text } of pages) {
    assert.deepEqual(
      { name, ...render("groff", ["-ww", "-man", "-Tutf8", "-z"], text) },
      { name, status: 0, output: "" },
    );
  }
  const run = pages.find(({ name }) => name === "pycri-run")?.text ?? "";
  const { output } = render("groff", ["-man", "-Tascii", "-P-cbou"], run);
  const command = COMMANDS.find(({ path }) => path.join(" ") === "run");
  for (const [long, { refusal }] of Object.entries(command?.options ?? {})) {
    assert.equal(new RegExp(`^ .*--${long}(?:[=,\\s]|$)`, "m").test(output), refusal === undefined, long);
  }
});
