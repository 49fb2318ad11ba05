import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGroup, parseId, parsePasswd } from "../../../src/oci/user-database.ts";

test("passwd lines become entries; broken lines and comments are passed over", () => {
  const text =
    "root:x:0:0:root:/root:/bin/sh\n# note\nbroken\nminus:x:-1:0::/:\n:x:1:1::/:\nweb:x:33:34:w:/var/www:\n+::::::\n";
  assert.deepEqual(parsePasswd(text), [
    { name: "root", uid: 0, gid: 0, home: "/root", shell: "/bin/sh" },
    { name: "web", uid: 33, gid: 34, home: "/var/www", shell: "" },
  ]);
});

test("group members are split at commas, empty ones left out", () => {
  assert.deepEqual(parseGroup("audio:x:29:web,,anna\nempty:x:30:\nshort:x:31\nbad:x:many:\n"), [
    { name: "audio", gid: 29, members: ["web", "anna"] },
    { name: "empty", gid: 30, members: [] },
    { name: "short", gid: 31, members: [] },
  ]);
});

test("Windows line ends do no harm", () => {
  assert.deepEqual(parseGroup("audio:x:29:web\r\n"), [{ name: "audio", gid: 29, members: ["web"] }]);
});

for (const [text, id] of [
  ["0", 0],
  ["4294967294", 4_294_967_294],
  ["4294967295", undefined],
  ["99999999999", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["0x10", undefined],
  ["", undefined],
  [" 1", undefined],
] as const) {
  test(`the id "${text}" is ${id === undefined ? "refused" : "taken"}`, () => assert.equal(parseId(text), id));
}
