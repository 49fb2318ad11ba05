/** Actions in words, and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAction, parseAction } from "../../../src/profile/action-text.ts";

const PAIRS: readonly (readonly [text: string, action: number])[] = [
  ["kill_process", 0x80000000],
  ["kill_thread", 0],
  ["trap", 0x00030000],
  ["errno(EPERM)", 0x00050001],
  ["errno(0)", 0x00050000],
  ["errno(ENOSYS)", 0x00050026],
  ["errno(4094)", 0x00050ffe],
  ["notify", 0x7fc00000],
  ["trace(0)", 0x7ff00000],
  ["trace(65535)", 0x7ff0ffff],
  ["log", 0x7ffc0000],
  ["allow", 0x7fff0000],
];

test("each action has one spelling", () => {
  for (const [text, action] of PAIRS) {
    assert.equal(formatAction(action), text);
    assert.equal(parseAction(text), action);
  }
  assert.equal(formatAction(0x00050059, "mips"), "errno(ENOSYS)");
  assert.equal(parseAction("errno(ENOSYS)", "parisc"), 0x000500fb);
  assert.equal(parseAction("errno(38)"), 0x00050026);
});

test("what is no action is none", () => {
  for (const text of [
    "",
    "ALLOW",
    "allow()",
    "allow(1)",
    "errno",
    "errno()",
    "errno(-1)",
    "errno(4095)",
    "errno(ENOPE)",
    "trace(65536)",
    "trace(EPERMX)",
    "errno(1) ",
  ])
    assert.equal(parseAction(text), undefined, text);
});
