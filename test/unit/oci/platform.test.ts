/** Platforms: one spelling, and the choice of a manifest by variant. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  choosePlatform,
  compatiblePlatforms,
  formatPlatform,
  normalizePlatform,
  parsePlatform,
} from "../../../src/oci/platform.ts";

for (const [typed, expected] of [
  ["linux/amd64", "linux/amd64"],
  ["linux/x86_64", "linux/amd64"],
  ["arm64", "linux/arm64"],
  ["linux/aarch64/v8", "linux/arm64"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/7", "linux/arm/v7"],
  ["linux/armel", "linux/arm/v6"],
  ["LINUX/AMD64/v3", "linux/amd64/v3"],
  ["windows/amd64", "windows/amd64"],
] as const) {
  test(`${typed} is ${expected}`, () => assert.equal(formatPlatform(parsePlatform(typed)), expected));
}

for (const typed of ["", "linux", "linux/", "a/b/c/d", "linux/am d64", "linux//v7"]) {
  test(`"${typed}" is no platform`, () => {
    assert.throws(() => parsePlatform(typed), { code: "INVALID_ARGUMENT" });
  });
}

test("an arm machine runs older variants, best first", () => {
  const names = compatiblePlatforms(parsePlatform("linux/arm/v7")).map(formatPlatform);
  assert.deepEqual(names, ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]);
});

test("an amd64/v3 machine runs v2 and the base level", () => {
  const names = compatiblePlatforms(parsePlatform("linux/amd64/v3")).map(formatPlatform);
  assert.deepEqual(names, ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]);
});

test("the best variant is chosen, whatever its place in the index", () => {
  const candidates = ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/amd64"].map((name) => ({
    name,
    platform: parsePlatform(name),
  }));
  const entries = [{ name: "unknown", platform: null }, ...candidates];
  assert.equal(choosePlatform(entries, parsePlatform("linux/arm/v7"))?.name, "linux/arm/v7");
  assert.equal(choosePlatform(entries, parsePlatform("linux/arm/v6"))?.name, "linux/arm/v6");
  assert.equal(choosePlatform(entries, parsePlatform("linux/arm64")), undefined);
});

test("an index that spells the default variant out fits all the same", () => {
  const candidates = [{ platform: normalizePlatform("linux", "arm64", "v8") }];
  assert.equal(choosePlatform(candidates, parsePlatform("linux/arm64")), candidates[0]);
});
