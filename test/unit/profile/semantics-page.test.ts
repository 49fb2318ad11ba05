/** `docs/seccomp-semantics.md` names the test that shows each difference; the tests must be there. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { repository } from "../../support/repository.ts";

const page = readFileSync(`${repository}/docs/seccomp-semantics.md`, "utf8").replace(/\s+/g, " ");
const references = [...page.matchAll(/\*Tests?: (.*?)\*/g)].map(([, text]) => text ?? "");

test("every test that the page names exists", () => {
  const sources = ["test/differential", "test/unit/profile"]
    .flatMap((folder) => readdirSync(`${repository}/${folder}`).map((file) => `${repository}/${folder}/${file}`))
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const names = references.flatMap((text) => [...text.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? ""));
  assert.ok(names.length > 9, `only ${names.length} tests are named`);
  for (const name of names) assert.ok(sources.includes(`"${name}"`), `no test is named "${name}"`);
  const files = references.flatMap((text) => [...text.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file]) => file ?? ""));
  for (const file of files)
    assert.ok(existsSync(`${repository}/${file.includes("/") ? file : `test/differential/${file}`}`), file);
});
