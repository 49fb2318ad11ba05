import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../../src/seccomp/assemble.ts";
import { CODE, decodeProgram, encodeProgram } from "../../../src/seccomp/bpf.ts";

const fault = (text: string): string => {
  try {
    assemble(text);
  } catch (error) {
    assert.equal((error as { code?: string }).code, "INVALID_DOCUMENT");
    return (error as Error).message;
  }
  return assert.fail(`${text} was assembled`);
};

test("lines with and without an index, comments and blank lines", () => {
  const text = `
    ; allow what is native
    0000 ld [4]
    jeq #0xc000003e 0002 3 ; x86_64

    0002 ret #0x7fff0000
    0003 ret #0
  `;
  assert.deepEqual(decodeProgram(assemble(text)), [
    { code: CODE.LD_ABS, jumpTrue: 0, jumpFalse: 0, k: 4 },
    { code: CODE.JEQ_K, jumpTrue: 0, jumpFalse: 1, k: 0xc000003e },
    { code: CODE.RET_K, jumpTrue: 0, jumpFalse: 0, k: 0x7fff0000 },
    { code: CODE.RET_K, jumpTrue: 0, jumpFalse: 0, k: 0 },
  ]);
});

test("every operand form selects its instruction", () => {
  const text =
    "ld #1\nldx #2\nld #len\nldx #len\nst M[1]\nstx M[2]\nld M[1]\nldx M[2]\nadd x\nadd #3\nneg\ntax\ntxa\nret a";
  const codes: number[] = [
    CODE.LD_IMM,
    CODE.LDX_IMM,
    CODE.LD_LEN,
    CODE.LDX_LEN,
    CODE.ST,
    CODE.STX,
    CODE.LD_MEM,
    CODE.LDX_MEM,
  ];
  codes.push(CODE.ADD_X, CODE.ADD_K, CODE.NEG, CODE.TAX, CODE.TXA, CODE.RET_A);
  assert.deepEqual(
    decodeProgram(assemble(text)).map(({ code }) => code),
    codes,
  );
});

test("a jump over other instructions", () => {
  assert.deepEqual(
    assemble("ja 2\nret #1\nret #2"),
    encodeProgram([
      { code: CODE.JA, jumpTrue: 0, jumpFalse: 0, k: 1 },
      { code: CODE.RET_K, jumpTrue: 0, jumpFalse: 0, k: 1 },
      { code: CODE.RET_K, jumpTrue: 0, jumpFalse: 0, k: 2 },
    ]),
  );
});

test("what is wrong is quoted with its line", () => {
  const cases: readonly (readonly [text: string, message: string])[] = [
    ["ret #0\nfly #1", 'Cannot assemble line 2, "fly #1": there is no instruction "fly"'],
    ["ld x", 'Cannot assemble line 1, "ld x": "ld" does not take x'],
    ["ld", 'Cannot assemble line 1, "ld": "ld" does not take no operand'],
    ["ret #0x100000000", 'Cannot assemble line 1, "ret #0x100000000": "ret" does not take #0x100000000'],
    ["ret #4294967296", 'Cannot assemble line 1, "ret #4294967296": an operand has 32 bits'],
    ["0007 ret #0", 'Cannot assemble line 1, "0007 ret #0": its index should be 0'],
    ["ret #0 1", 'Cannot assemble line 1, "ret #0 1": "ret" has no targets'],
    ["ja", 'Cannot assemble line 1, "ja": `ja` has one target'],
    ["jeq #1 1", 'Cannot assemble line 1, "jeq #1 1": a jump leads to the index of an instruction'],
    ["jeq #1 0 1", 'Cannot assemble line 1, "jeq #1 0 1": jumps lead forward'],
    ["jeq #1 1 2 3", 'Cannot assemble line 1, "jeq #1 1 2 3": "jeq" has two targets'],
    ["jeq #1 1 257", 'Cannot assemble line 1, "jeq #1 1 257": a conditional jump reaches 255 instructions'],
    ["ld [3]\nret #0", "Cannot assemble the program: instruction 0 is invalid (load-offset)"],
    ["ld [0]", "Cannot assemble the program: instruction 0 is invalid (no-return)"],
    ["", "Cannot assemble the program: instruction 0 is invalid (length)"],
  ];
  assert.deepEqual(
    cases.map(([text]) => fault(text)),
    cases.map(([, message]) => message),
  );
});
