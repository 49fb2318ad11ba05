/**
 * Instructions as text, one line each, in the words of linux/filter.h's assembler; jump targets are absolute. The text
 * is ASCII, written straight into memory as the UTF-8 that the canonical ABI wants.
 */

import { codeAt, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";

/** The longest line has 45 characters. */
const LINE_SIZE: usize = 64;

let cursor: usize = 0;

/** `list<string>`: pointers and lengths. @param program checked */
export function disassembleAll(program: usize, length: u32): usize {
  const list = heap.alloc(<usize>length * 8);
  for (let pc: u32 = 0; pc < length; pc++) {
    const line = heap.alloc(LINE_SIZE);
    cursor = line;
    writeLine(program, pc);
    store<usize>(list + <usize>pc * 8, line);
    store<u32>(list + <usize>pc * 8, <u32>(cursor - line), 4);
  }
  return list;
}

function writeLine(program: usize, pc: u32): void {
  const code = codeAt(program, pc);
  const k = operandAt(program, pc);
  index(pc);
  text(" ");
  text(mnemonic(code));
  switch (code) {
    case 0x20:
      text(" [");
      decimal(k);
      text("]");
      break;
    case 0x60:
    case 0x61:
    case 0x02:
    case 0x03:
      text(" M[");
      decimal(k);
      text("]");
      break;
    case 0x80:
    case 0x81:
      text(" #len");
      break;
    case 0x05:
      text(" ");
      index(pc + 1 + k);
      break;
    case 0x16:
      text(" a");
      break;
    case 0x07:
    case 0x87:
    case 0x84:
      break;
    default:
      if ((code & 8) != 0) {
        text(" x");
      } else {
        text(" #0x");
        hexadecimal(k);
      }
      if ((code & 7) == 5) {
        text(" ");
        index(pc + 1 + jumpTrueAt(program, pc));
        text(" ");
        index(pc + 1 + jumpFalseAt(program, pc));
      }
  }
}

function mnemonic(code: u16): string {
  switch (code) {
    case 0x20:
    case 0x80:
    case 0x00:
    case 0x60:
      return "ld";
    case 0x81:
    case 0x01:
    case 0x61:
      return "ldx";
    case 0x02:
      return "st";
    case 0x03:
      return "stx";
    case 0x04:
    case 0x0c:
      return "add";
    case 0x14:
    case 0x1c:
      return "sub";
    case 0x24:
    case 0x2c:
      return "mul";
    case 0x34:
    case 0x3c:
      return "div";
    case 0x44:
    case 0x4c:
      return "or";
    case 0x54:
    case 0x5c:
      return "and";
    case 0x64:
    case 0x6c:
      return "lsh";
    case 0x74:
    case 0x7c:
      return "rsh";
    case 0x84:
      return "neg";
    case 0xa4:
    case 0xac:
      return "xor";
    case 0x05:
      return "ja";
    case 0x15:
    case 0x1d:
      return "jeq";
    case 0x25:
    case 0x2d:
      return "jgt";
    case 0x35:
    case 0x3d:
      return "jge";
    case 0x45:
    case 0x4d:
      return "jset";
    case 0x07:
      return "tax";
    case 0x87:
      return "txa";
    default:
      return "ret";
  }
}

function text(characters: string): void {
  for (let i = 0; i < characters.length; i++) store<u8>(cursor++, <u8>characters.charCodeAt(i));
}

/** An instruction's index, four digits. */
function index(value: u32): void {
  for (let unit: u32 = 1000; unit > 0; unit /= 10) store<u8>(cursor++, <u8>(48 + ((value / unit) % 10)));
}

function decimal(value: u32): void {
  if (value >= 10) decimal(value / 10);
  store<u8>(cursor++, <u8>(48 + (value % 10)));
}

function hexadecimal(value: u32): void {
  if (value >= 16) hexadecimal(value >> 4);
  const digit = value & 15;
  store<u8>(cursor++, <u8>(digit < 10 ? 48 + digit : 87 + digit));
}
