import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSpec } from "../../../src/oci/format-spec.ts";
import { RLIM_INFINITY } from "../../../src/oci/rlimit-numbers.ts";

test("64-bit numbers are written as plain JSON numbers, digit for digit", () => {
  const text = formatSpec({
    ociVersion: "1.3.0",
    process: {
      user: { uid: 0, gid: 0 },
      cwd: "/",
      env: ['QUOTE="', "BIG=18446744073709551615"],
      rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: RLIM_INFINITY }],
    },
  });
  assert.match(text, /"hard": 18446744073709551615\n/);
  assert.deepEqual(JSON.parse(text).process.env, ['QUOTE="', "BIG=18446744073709551615"]);
});
