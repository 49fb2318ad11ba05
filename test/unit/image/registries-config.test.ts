/** registries.conf: short names, mirrors, blocked and insecure registries, as containers-registries.conf(5) has them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isLoopback,
  parseRegistriesConfig,
  pullEndpoints,
  pushEndpoint,
  resolveShortName,
} from "../../../src/image/registry/registries-config.ts";
import { formatReference, normalizeReference, parseReference } from "../../../src/oci/reference.ts";

const config = parseRegistriesConfig([
  {
    path: "registries.conf",
    text: `
unqualified-search-registries = ["registry.example", "docker.io"]

[[registry]]
prefix = "docker.io"
location = "hub.example/proxy"

[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true

[[registry.mirror]]
location = "by-digest.example"
pull-from-mirror = "digest-only"

[[registry]]
location = "docker.io/library/secret"
blocked = true

[[registry]]
prefix = "*.internal.example"
location = "gateway.example"
insecure = true

[[registry]]
location = "plain.example:5000"
insecure = true
`,
  },
  { path: "aliases.conf", text: `[aliases]\n"tool" = "ghcr.io/org/tool"\n` },
]);

const endpoints = (name: string): readonly string[] =>
  pullEndpoints(normalizeReference(name), config).map(
    ({ host, path, insecure }) => `${host} ${path}${insecure ? " insecure" : ""}`,
  );

test("mirrors come first, then the location in place of the prefix", () => {
  assert.deepEqual(endpoints("debian:12"), [
    "mirror.example:5000 hub/library/debian insecure",
    "hub.example proxy/library/debian",
  ]);
});

test("a digest opens the mirror that serves digests only", () => {
  assert.deepEqual(endpoints(`debian@sha256:${"0".repeat(64)}`), [
    "mirror.example:5000 hub/library/debian insecure",
    "by-digest.example library/debian",
    "hub.example proxy/library/debian",
  ]);
});

test("pushing never goes to a mirror", () => {
  const { host, path } = pushEndpoint(normalizeReference("user/app"), config);
  assert.deepEqual([host, path], ["hub.example", "proxy/user/app"]);
});

test("the longest prefix decides: one repository is blocked", () => {
  assert.throws(() => endpoints("secret"), { code: "REGISTRY_DENIED" });
  assert.throws(() => endpoints("library/secret:1"), { code: "REGISTRY_DENIED" });
  assert.equal(endpoints("secret2").length, 2);
});

test("a wildcard takes every subdomain and no other host", () => {
  assert.deepEqual(endpoints("a.b.internal.example/x/y"), ["gateway.example x/y insecure"]);
  assert.deepEqual(endpoints("notinternal.example/x"), ["notinternal.example x"]);
});

test("insecure belongs to its host and port", () => {
  assert.deepEqual(endpoints("plain.example:5000/x"), ["plain.example:5000 x insecure"]);
  assert.deepEqual(endpoints("plain.example:5001/x"), ["plain.example:5001 x"]);
});

test("short names: aliases, then the search list in order", () => {
  const resolve = (name: string): readonly string[] =>
    resolveShortName(parseReference(name), config).map((reference) => formatReference(reference));
  assert.deepEqual(resolve("tool:2"), ["ghcr.io/org/tool:2"]);
  assert.deepEqual(resolve("debian:12"), ["registry.example/debian:12", "docker.io/library/debian:12"]);
  assert.deepEqual(resolve("quay.io/a"), ["quay.io/a"]);
});

test("without files, short names are Docker Hub's", () => {
  const references = resolveShortName(parseReference("debian"), parseRegistriesConfig([]));
  assert.deepEqual(references.map(formatReference), ["docker.io/library/debian"]);
});

test("an empty search list makes short names an error", () => {
  const strict = parseRegistriesConfig([{ path: "x", text: "unqualified-search-registries = []" }]);
  assert.throws(() => resolveShortName(parseReference("debian"), strict), { code: "INVALID_ARGUMENT" });
});

for (const [name, text] of [
  ["no TOML", "[[registry"],
  ["version 1", "[registries.search]\nregistries = ['a']"],
  ["neither prefix nor location", "[[registry]]\ninsecure = true"],
  ["a star inside", '[[registry]]\nprefix = "a.*.example"'],
  ["a mirror rule nobody knows", '[[registry]]\nlocation="a"\n[[registry.mirror]]\nlocation="b"\npull-from-mirror="x"'],
] as const) {
  test(`a file with ${name} is INVALID_DOCUMENT`, () => {
    assert.throws(() => parseRegistriesConfig([{ path: "registries.conf", text }]), { code: "INVALID_DOCUMENT" });
  });
}

test("loopback is the loopback network, by address or as localhost", () => {
  for (const host of ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000"])
    assert.ok(isLoopback(host));
  for (const host of ["localhost.example", "128.0.0.1", "127.0.0.1.example", "[::2]:1"]) assert.ok(!isLoopback(host));
});
