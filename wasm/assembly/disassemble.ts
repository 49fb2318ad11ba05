/**
 * Instructions as text, one line each, in the words of linux/filter.h's assembler; jump targets are absolute. The text
 * is ASCII, written straight into memory as the UTF-8 that the canonical ABI wants.
 */

import { codeAt, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";

/** The longest line has 45 characters. */
const LINE_SIZE: usize = 64;

const SPACE: u8 = 0x20;
const CLOSING_BRACKET: u8 = 0x5d;

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

/** Mnemonics as four ASCII letters in a word, the first one lowest: by class, by arithmetic and by jump operation. */
// ld ldx st stx - - ret tax
const CLASSES: StaticArray<u32> = [0x646c, 0x78646c, 0x7473, 0x787473, 0, 0, 0x746572, 0x786174];
const ARITHMETIC: StaticArray<u32> = [
  // add sub mul div or and lsh rsh neg - xor
  0x646461, 0x627573, 0x6c756d, 0x766964, 0x726f, 0x646e61, 0x68736c, 0x687372, 0x67656e, 0, 0x726f78,
];
const JUMPS: StaticArray<u32> = [0x616a, 0x71656a, 0x74676a, 0x65676a, 0x7465736a];
const TXA: u32 = 0x617874;

function writeLine(program: usize, pc: u32): void {
  const code = codeAt(program, pc);
  const k = operandAt(program, pc);
  index(pc);
  letter(SPACE);
  letters(mnemonic(code));
  switch (code) {
    case 0x20:
      letters(0x5b20); // " ["
      decimal(k);
      letter(CLOSING_BRACKET);
      break;
    case 0x60:
    case 0x61:
    case 0x02:
    case 0x03:
      letters(0x5b4d20); // " M["
      decimal(k);
      letter(CLOSING_BRACKET);
      break;
    case 0x80:
    case 0x81:
      letters(0x656c2320); // " #le"
      letter(0x6e); // "n"
      break;
    case 0x05:
      target(pc, k);
      break;
    case 0x16:
      letters(0x6120); // " a"
      break;
    case 0x07:
    case 0x87:
    case 0x84:
      break;
    default:
      if ((code & 8) != 0) {
        letters(0x7820); // " x"
      } else {
        letters(0x78302320); // " #0x"
        hexadecimal(k);
      }
      if ((code & 7) == 5) {
        target(pc, jumpTrueAt(program, pc));
        target(pc, jumpFalseAt(program, pc));
      }
  }
}

function mnemonic(code: u16): u32 {
  const operation = code >> 4;
  switch (code & 7) {
    case 4:
      return ARITHMETIC[operation];
    case 5:
      return JUMPS[operation];
    default:
      return code == 0x87 ? TXA : CLASSES[code & 7];
  }
}

function letters(word: u32): void {
  for (; word != 0; word >>= 8) letter(<u8>word);
}

function letter(character: u8): void {
  store<u8>(cursor++, character);
}

function target(pc: u32, distance: u32): void {
  letter(SPACE);
  index(pc + 1 + distance);
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
