/**
 * The kernel's checks of a seccomp program (bpf_check_classic, check_load_and_stores and seccomp_check_filter). After
 * `checkProgram` returned NO_FLAW, every jump, load and memory index is in bounds.
 */

import { INSTRUCTION_LIMIT } from "./layout";
import { listFits } from "./memory";

export const NO_FLAW: i32 = -1;

/** `program-flaw`, in the order of the WIT. */
const LENGTH: i32 = 0;
const CODE: i32 = 1;
const LOAD_OFFSET: i32 = 2;
const MEMORY_INDEX: i32 = 3;
const MEMORY_UNINITIALISED: i32 = 4;
const JUMP_RANGE: i32 = 5;
const DIVISION_BY_ZERO: i32 = 6;
const SHIFT_RANGE: i32 = 7;
const NO_RETURN: i32 = 8;

const MEMORY_WORDS: u32 = 16;
const DATA_SIZE: u32 = 64;

/** The instruction with the flaw; valid after a check that found one. */
export let flawInstruction: u32 = 0;

export function codeAt(program: usize, pc: u32): u16 {
  return load<u16>(program + <usize>pc * 8);
}

export function jumpTrueAt(program: usize, pc: u32): u32 {
  return load<u8>(program + <usize>pc * 8, 2);
}

export function jumpFalseAt(program: usize, pc: u32): u32 {
  return load<u8>(program + <usize>pc * 8, 3);
}

export function operandAt(program: usize, pc: u32): u32 {
  return load<u32>(program + <usize>pc * 8, 4);
}

/** @param size bytes */
export function checkProgram(program: usize, size: u32): i32 {
  flawInstruction = 0;
  const length = size >> 3;
  if (!listFits(program, size, 1, 1) || (size & 7) != 0 || length == 0 || length > <u32>INSTRUCTION_LIMIT)
    return LENGTH;
  for (let pc: u32 = 0; pc < length; pc++) {
    flawInstruction = pc;
    const flaw = checkInstruction(program, pc, length - pc - 1);
    if (flaw != NO_FLAW) return flaw;
  }
  const last = codeAt(program, length - 1);
  if (last != 0x06 && last != 0x16) return NO_RETURN;
  return checkMemory(program, length);
}

function checkInstruction(program: usize, pc: u32, following: u32): i32 {
  const k = operandAt(program, pc);
  switch (codeAt(program, pc)) {
    case 0x20: // ld [k]
      return (k & 3) == 0 && k < DATA_SIZE ? NO_FLAW : LOAD_OFFSET;
    case 0x60: // ld M[k]
    case 0x61: // ldx M[k]
    case 0x02: // st M[k]
    case 0x03: // stx M[k]
      return k < MEMORY_WORDS ? NO_FLAW : MEMORY_INDEX;
    case 0x34: // div #k
      return k == 0 ? DIVISION_BY_ZERO : NO_FLAW;
    case 0x64: // lsh #k
    case 0x74: // rsh #k
      return k < 32 ? NO_FLAW : SHIFT_RANGE;
    case 0x05: // ja
      return k < following ? NO_FLAW : JUMP_RANGE;
    case 0x15: // jeq, jgt, jge, jset with #k and x
    case 0x1d:
    case 0x25:
    case 0x2d:
    case 0x35:
    case 0x3d:
    case 0x45:
    case 0x4d:
      return jumpTrueAt(program, pc) < following && jumpFalseAt(program, pc) < following ? NO_FLAW : JUMP_RANGE;
    case 0x80: // ld len
    case 0x81: // ldx len
    case 0x00: // ld #k
    case 0x01: // ldx #k
    case 0x04: // add
    case 0x0c:
    case 0x14: // sub
    case 0x1c:
    case 0x24: // mul
    case 0x2c:
    case 0x3c: // div x
    case 0x44: // or
    case 0x4c:
    case 0x54: // and
    case 0x5c:
    case 0x6c: // lsh x
    case 0x7c: // rsh x
    case 0x84: // neg
    case 0xa4: // xor
    case 0xac:
    case 0x06: // ret #k
    case 0x16: // ret a
    case 0x07: // tax
    case 0x87: // txa
      return NO_FLAW;
    default:
      return CODE;
  }
}

export function isTest(code: u16): bool {
  return (code & 7) == 5 && code != 0x05;
}

/** A word of memory may be read only where every path has written it. */
function checkMemory(program: usize, length: u32): i32 {
  const written = new StaticArray<u16>(<i32>length);
  for (let pc: u32 = 0; pc < length; pc++) written[pc] = 0xffff;
  let valid: u16 = 0;
  for (let pc: u32 = 0; pc < length; pc++) {
    flawInstruction = pc;
    valid &= written[pc];
    const code = codeAt(program, pc);
    const k = operandAt(program, pc);
    if (code == 0x02 || code == 0x03) valid |= (<u16>1) << (<u16>k);
    else if (code == 0x60 || code == 0x61) {
      if ((valid & ((<u16>1) << (<u16>k))) == 0) return MEMORY_UNINITIALISED;
    } else if (code == 0x05) {
      written[pc + 1 + k] &= valid;
      valid = 0xffff;
    } else if (isTest(code)) {
      written[pc + 1 + jumpTrueAt(program, pc)] &= valid;
      written[pc + 1 + jumpFalseAt(program, pc)] &= valid;
      valid = 0xffff;
    }
  }
  return NO_FLAW;
}
