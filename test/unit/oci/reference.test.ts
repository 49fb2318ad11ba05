/** Image references: Docker's readings as a table, and laws that hold for whatever is typed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RuntimeError } from "../../../src/errors.ts";
import {
  familiarReference,
  formatReference,
  normalizeReference,
  parseReference,
  qualifyReference,
} from "../../../src/oci/reference.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

const READINGS: readonly (readonly [typed: string, full: string, familiar: string])[] = [
  ["debian", "docker.io/library/debian:latest", "debian:latest"],
  ["debian:12", "docker.io/library/debian:12", "debian:12"],
  ["library/debian", "docker.io/library/debian:latest", "debian:latest"],
  ["docker.io/debian", "docker.io/library/debian:latest", "debian:latest"],
  ["index.docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"],
  ["user/app:v1", "docker.io/user/app:v1", "user/app:v1"],
  ["ghcr.io/a/b:tag", "ghcr.io/a/b:tag", "ghcr.io/a/b:tag"],
  ["localhost/x", "localhost/x:latest", "localhost/x:latest"],
  ["localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"],
  ["[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1"],
  ["example.com:443/a/b/c", "example.com:443/a/b/c:latest", "example.com:443/a/b/c:latest"],
  [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
  [`debian:12@${DIGEST}`, `docker.io/library/debian:12@${DIGEST}`, `debian:12@${DIGEST}`],
  ["Registry/app", "registry/app:latest", "registry/app:latest"],
  ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
  ["a_b/c__d/e---f", "docker.io/a_b/c__d/e---f:latest", "a_b/c__d/e---f:latest"],
];

for (const [typed, full, familiar] of READINGS) {
  test(`"${typed}" is ${full}`, () => {
    const reference = normalizeReference(typed);
    assert.equal(formatReference(reference), full);
    assert.equal(familiarReference(reference), familiar);
  });
}

const REFUSED: readonly (readonly [typed: string, fault: string])[] = [
  ["", "the name is empty"],
  [":tag", "the name is empty"],
  ["Debian", "the name must be in lower case"],
  ["debian:", "a tag is up to 128"],
  [`debian:${"a".repeat(129)}`, "a tag is up to 128"],
  ["debian:-x", "a tag is up to 128"],
  ["debian@sha256:abc", "the digest after @"],
  ["debian@md5:0123", "the digest after @"],
  [`debian@${DIGEST.toUpperCase()}`, "the digest after @"],
  ["a//b", "characters that are not allowed"],
  ["/debian", "characters that are not allowed"],
  ["debian/", "characters that are not allowed"],
  ["a..b", "characters that are not allowed"],
  ["a/../b", "characters that are not allowed"],
  ["-a", "characters that are not allowed"],
  ["exa mple.com/a", "is not a host name"],
  ["-example.com/a", "is not a host name"],
  ["example.com:123456/a", "is not a host name"],
  ["a".repeat(256), "longer than 255"],
  ["ab".repeat(32), "an image id"],
];

for (const [typed, fault] of REFUSED) {
  test(`"${typed.slice(0, 40)}" is refused: ${fault}`, () => {
    assert.throws(
      () => parseReference(typed),
      (error) => error instanceof RuntimeError && error.code === "INVALID_ARGUMENT" && error.message.includes(fault),
    );
  });
}

test("whatever is typed parses or is INVALID_ARGUMENT", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" })), (typed) => {
      try {
        parseReference(typed);
      } catch (error) {
        assert.ok(error instanceof RuntimeError);
        assert.equal(error.code, "INVALID_ARGUMENT");
      }
    }),
    { numRuns: 2000 },
  );
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
const domain = fc.oneof(
  fc.constant(null),
  fc.constantFrom("docker.io", "localhost", "ghcr.io", "a.b.example:5000", "127.0.0.1:80", "[fe80::1]:443"),
);
const typedReference = fc.record({
  domain,
  path: fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
  tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/)),
  digest: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`)),
});

test("both printed forms parse back to the same reference", () => {
  fc.assert(
    fc.property(typedReference, ({ domain, path, tag, digest }) => {
      const text = `${domain === null ? "" : `${domain}/`}${path}${tag === null ? "" : `:${tag}`}${digest === null ? "" : `@${digest}`}`;
      // An image id, and a first part that looks like a host, mean something else without a domain.
      fc.pre(!/^[0-9a-f]{64}(?:[:@]|$)/.test(text) && (domain !== null || !/^[^/]*\.[^/]*\//.test(path)));
      const reference = qualifyReference(parseReference(text));
      assert.deepEqual(qualifyReference(parseReference(formatReference(reference))), reference);
      assert.deepEqual(qualifyReference(parseReference(familiarReference(reference))), reference);
      assert.equal(reference.tag, tag);
      assert.equal(reference.digest, digest);
    }),
    { numRuns: 2000 },
  );
});

/**
 * The grammar of distribution's `reference` package, as one expression over the whole, and Docker's rule for where the
 * registry ends: another way to the same answer.
 */
const WORD = "[a-z0-9]+";
const PATH = `${WORD}(?:(?:\\.|_|__|-+)${WORD})*`;
const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?`;
const SUFFIX = "(?::\\w[\\w.-]{0,127})?(?:@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?";
const WITH_HOST = new RegExp(`^${HOST}/${PATH}(?:/${PATH})*${SUFFIX}$`);
const WITHOUT_HOST = new RegExp(`^${PATH}(?:/${PATH})*${SUFFIX}$`);

function grammarAccepts(text: string): boolean {
  const slash = text.indexOf("/");
  const first = slash === -1 ? "" : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost" || /[A-Z]/.test(first);
  return isHost ? WITH_HOST.test(text) : WITHOUT_HOST.test(text);
}

test("what is accepted is what the grammar accepts", () => {
  const near = fc
    .array(
      fc.constantFrom("a", "b0", "A", ".", "-", "_", "__", "/", ":", "@", "1", "localhost", "[::1]", DIGEST, "c.d"),
      {
        maxLength: 9,
      },
    )
    .map((parts) => parts.join(""));
  let accepted = 0;
  fc.assert(
    fc.property(near, (text) => {
      let parses = true;
      try {
        parseReference(text);
        accepted++;
      } catch {
        parses = false;
      }
      assert.equal(parses, grammarAccepts(text), text);
    }),
    { numRuns: 6000 },
  );
  assert.ok(accepted > 150, `${accepted} of the texts were references`);
});
