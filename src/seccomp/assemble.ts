/**
 * BPF text to a program: the inverse of the disassembler, for programs that were edited by hand. A line is
 * `0001 jeq #0xc000003e 0002 0017`: index, mnemonic, operand, and the indices that a jump leads to. The index may be left
 * out; `;` begins a comment; numbers may be decimal or hexadecimal.
 */

import { RuntimeError } from "../errors.ts";
import { CODE, encodeProgram, findFlaw, type Instruction } from "./bpf.ts";

/** How an operand is written, with the code it selects. */
interface Forms {
  /** `#0x10` */
  readonly constant?: number;
  /** `x` */
  readonly register?: number;
  /** `[16]` */
  readonly data?: number;
  /** `M[3]` */
  readonly memory?: number;
  /** `#len` */
  readonly length?: number;
  /** `a` */
  readonly accumulator?: number;
  /** Nothing. */
  readonly bare?: number;
}

const MNEMONICS: Readonly<Record<string, Forms>> = {
  ld: { constant: CODE.LD_IMM, data: CODE.LD_ABS, memory: CODE.LD_MEM, length: CODE.LD_LEN },
  ldx: { constant: CODE.LDX_IMM, memory: CODE.LDX_MEM, length: CODE.LDX_LEN },
  st: { memory: CODE.ST },
  stx: { memory: CODE.STX },
  add: { constant: CODE.ADD_K, register: CODE.ADD_X },
  sub: { constant: CODE.SUB_K, register: CODE.SUB_X },
  mul: { constant: CODE.MUL_K, register: CODE.MUL_X },
  div: { constant: CODE.DIV_K, register: CODE.DIV_X },
  or: { constant: CODE.OR_K, register: CODE.OR_X },
  and: { constant: CODE.AND_K, register: CODE.AND_X },
  lsh: { constant: CODE.LSH_K, register: CODE.LSH_X },
  rsh: { constant: CODE.RSH_K, register: CODE.RSH_X },
  xor: { constant: CODE.XOR_K, register: CODE.XOR_X },
  neg: { bare: CODE.NEG },
  jeq: { constant: CODE.JEQ_K, register: CODE.JEQ_X },
  jgt: { constant: CODE.JGT_K, register: CODE.JGT_X },
  jge: { constant: CODE.JGE_K, register: CODE.JGE_X },
  jset: { constant: CODE.JSET_K, register: CODE.JSET_X },
  ret: { constant: CODE.RET_K, accumulator: CODE.RET_A },
  tax: { bare: CODE.TAX },
  txa: { bare: CODE.TXA },
};

const NUMBER = "(0x[0-9a-f]{1,8}|\\d{1,10})";
const OPERAND = new RegExp(`^(?:(#len)|#${NUMBER}|(x)|(a)|\\[${NUMBER}\\]|M\\[${NUMBER}\\])$`);

/**
 * @returns packed little-endian `struct sock_filter[]`
 * @throws RuntimeError INVALID_DOCUMENT: a line that is no instruction, or a program that the kernel would refuse
 */
export function assemble(text: string): Uint8Array {
  const program: Instruction[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line
      .replace(/;.*/, "")
      .trim()
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length > 0) program.push(instructionOf(words, program.length, index + 1));
  }
  const flaw = findFlaw(program);
  if (flaw !== null) {
    throw new RuntimeError(
      "INVALID_DOCUMENT",
      `Cannot assemble the program: instruction ${flaw.instruction} is invalid (${flaw.reason})`,
      { details: { ...flaw } },
    );
  }
  return encodeProgram(program);
}

function instructionOf(words: readonly string[], at: number, line: number): Instruction {
  const fault = (reason: string): RuntimeError =>
    new RuntimeError("INVALID_DOCUMENT", `Cannot assemble line ${line}, "${words.join(" ")}": ${reason}`, {
      hint: 'a line is written as the disassembler writes it: "0001 jeq #0x3e 0002 0017"',
      details: { line },
    });
  const [index, mnemonic = "", ...operands] = /^\d+$/.test(words[0] ?? "") ? words : [String(at), ...words];
  if (Number(index) !== at) throw fault(`its index should be ${at}`);
  const distanceTo = (target: string | undefined): number => {
    if (target === undefined || !/^\d{1,9}$/.test(target)) throw fault("a jump leads to the index of an instruction");
    const distance = Number(target) - at - 1;
    if (distance < 0) throw fault("jumps lead forward");
    return distance;
  };
  if (mnemonic === "ja") {
    if (operands.length !== 1) throw fault("`ja` has one target");
    return { code: CODE.JA, jumpTrue: 0, jumpFalse: 0, k: distanceTo(operands[0]) };
  }
  const forms = MNEMONICS[mnemonic];
  if (forms === undefined) throw fault(`there is no instruction "${mnemonic}"`);
  const [operand, onTrue, onFalse, ...rest] = operands;
  const { code, k } = readOperand(forms, operand) ?? {};
  if (code === undefined || k === undefined) throw fault(`"${mnemonic}" does not take ${operand ?? "no operand"}`);
  if (k > 0xffffffff) throw fault("an operand has 32 bits");
  if ((code & 0x07) !== 0x05) {
    if (onTrue !== undefined) throw fault(`"${mnemonic}" has no targets`);
    return { code, jumpTrue: 0, jumpFalse: 0, k };
  }
  if (rest.length > 0) throw fault(`"${mnemonic}" has two targets`);
  const jumpTrue = distanceTo(onTrue);
  const jumpFalse = distanceTo(onFalse);
  if (Math.max(jumpTrue, jumpFalse) > 255) throw fault("a conditional jump reaches 255 instructions");
  return { code, jumpTrue, jumpFalse, k };
}

function readOperand(forms: Forms, operand: string | undefined): { code: number | undefined; k: number } | undefined {
  if (operand === undefined) return { code: forms.bare, k: 0 };
  const match = OPERAND.exec(operand);
  if (match === null) return undefined;
  const [, length, constant, register, accumulator, data, memory] = match;
  if (length !== undefined) return { code: forms.length, k: 0 };
  if (register !== undefined) return { code: forms.register, k: 0 };
  if (accumulator !== undefined) return { code: forms.accumulator, k: 0 };
  if (constant !== undefined) return { code: forms.constant, k: Number(constant) };
  if (data !== undefined) return { code: forms.data, k: Number(data) };
  return { code: forms.memory, k: Number(memory) };
}
