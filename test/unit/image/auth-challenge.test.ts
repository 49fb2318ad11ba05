/** WWW-Authenticate headers as registries send them, and as nobody should. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "../../../src/image/registry/auth-challenge.ts";

const parse = (header: string): unknown =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }]);

test("Docker Hub's challenge", () => {
  assert.deepEqual(
    parse('Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"'),
    [
      [
        "bearer",
        { realm: "https://auth.example/token", service: "registry.example", scope: "repository:a/b:pull,push" },
      ],
    ],
  );
});

test("names are case-insensitive, blanks and tokens are allowed, quotes may be escaped", () => {
  assert.deepEqual(parse(String.raw`BASIC Realm = "a \"b\" c" , charset=UTF-8`), [
    ["basic", { realm: 'a "b" c', charset: "UTF-8" }],
  ]);
});

test("several challenges in one header", () => {
  assert.deepEqual(parse('Negotiate, NTLM abc==, Basic realm="x", Bearer realm="y",service=z'), [
    ["negotiate", {}],
    ["ntlm", {}],
    ["basic", { realm: "x" }],
    ["bearer", { realm: "y", service: "z" }],
  ]);
});

test("a broken end keeps what came before", () => {
  assert.deepEqual(parse('Basic realm="x", Bearer realm="y'), [
    ["basic", { realm: "x" }],
    ["bearer", {}],
  ]);
});

test("a parameter called __proto__ stays a parameter", () => {
  const [challenge] = parseChallenges("Basic __proto__=x");
  assert.deepEqual(Object.keys(challenge?.parameters ?? {}), ["__proto__"]);
});

test("any header ends in a list", () => {
  fc.assert(
    fc.property(fc.string(), (header) => assert.ok(Array.isArray(parseChallenges(header)))),
    { numRuns: 2000 },
  );
});
