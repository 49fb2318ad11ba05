/**
 * Classic BPF as seccomp uses it: the instructions of linux/bpf_common.h, `struct sock_filter[]` in bytes, and the
 * kernel's checks of a program (bpf_check_classic and seccomp_check_filter in kernel/seccomp.c and net/core/filter.c).
 */

import { RuntimeError } from "../errors.ts";

/** One `struct sock_filter`. Jumps count from the next instruction. */
export interface Instruction {
  /** 16 bits. */
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  /** Unsigned 32-bit. */
  readonly k: number;
}

export type ByteOrder = "little" | "big";

/** BPF_MAXINSNS. */
export const INSTRUCTION_LIMIT = 4096;

/** Bytes of a `struct sock_filter`. */
export const INSTRUCTION_SIZE = 8;

/** Bytes of a `struct seccomp_data`. */
export const DATA_SIZE = 64;

/** Words of scratch memory, BPF_MEMWORDS. */
export const MEMORY_WORDS = 16;

/** Every instruction code that seccomp_check_filter accepts. */
export const CODE = {
  LD_ABS: 0x20,
  LD_LEN: 0x80,
  LD_IMM: 0x00,
  LD_MEM: 0x60,
  LDX_LEN: 0x81,
  LDX_IMM: 0x01,
  LDX_MEM: 0x61,
  ST: 0x02,
  STX: 0x03,
  ADD_K: 0x04,
  ADD_X: 0x0c,
  SUB_K: 0x14,
  SUB_X: 0x1c,
  MUL_K: 0x24,
  MUL_X: 0x2c,
  DIV_K: 0x34,
  DIV_X: 0x3c,
  OR_K: 0x44,
  OR_X: 0x4c,
  AND_K: 0x54,
  AND_X: 0x5c,
  LSH_K: 0x64,
  LSH_X: 0x6c,
  RSH_K: 0x74,
  RSH_X: 0x7c,
  NEG: 0x84,
  XOR_K: 0xa4,
  XOR_X: 0xac,
  JA: 0x05,
  JEQ_K: 0x15,
  JEQ_X: 0x1d,
  JGT_K: 0x25,
  JGT_X: 0x2d,
  JGE_K: 0x35,
  JGE_X: 0x3d,
  JSET_K: 0x45,
  JSET_X: 0x4d,
  RET_K: 0x06,
  RET_A: 0x16,
  TAX: 0x07,
  TXA: 0x87,
} as const;

export type CodeName = keyof typeof CODE;

const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(CODE));

/** Instructions to packed `struct sock_filter[]`, in the byte order of the machine that will load them. */
export function encodeProgram(instructions: readonly Instruction[], order: ByteOrder = "little"): Uint8Array {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  const little = order === "little";
  for (const [index, { code, jumpTrue, jumpFalse, k }] of instructions.entries()) {
    const at = index * INSTRUCTION_SIZE;
    view.setUint16(at, code, little);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, k, little);
  }
  return bytes;
}

/** Packed `struct sock_filter[]` to instructions; only the length is checked. */
export function decodeProgram(bytes: Uint8Array, order: ByteOrder = "little"): Instruction[] {
  if (bytes.length % INSTRUCTION_SIZE !== 0) {
    throw new RuntimeError(
      "INVALID_DOCUMENT",
      `Cannot decode a BPF program of ${bytes.length} bytes: each instruction has ${INSTRUCTION_SIZE}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = order === "little";
  return Array.from({ length: bytes.length / INSTRUCTION_SIZE }, (_, index) => {
    const at = index * INSTRUCTION_SIZE;
    return {
      code: view.getUint16(at, little),
      jumpTrue: view.getUint8(at + 2),
      jumpFalse: view.getUint8(at + 3),
      k: view.getUint32(at + 4, little),
    };
  });
}

/** Why the kernel would refuse a program, and at which instruction. */
export interface ProgramFlaw {
  readonly instruction: number;
  readonly reason:
    | "length"
    | "code"
    | "load-offset"
    | "memory-index"
    | "memory-uninitialised"
    | "jump-range"
    | "division-by-zero"
    | "shift-range"
    | "no-return";
}

/** The first reason for which seccomp(2) would answer EINVAL, or null. */
export function findFlaw(program: readonly Instruction[]): ProgramFlaw | null {
  if (program.length === 0 || program.length > INSTRUCTION_LIMIT) return { instruction: 0, reason: "length" };
  for (const [index, instruction] of program.entries()) {
    const reason = instructionFlaw(instruction, program.length - index - 1);
    if (reason !== null) return { instruction: index, reason };
  }
  const last = program[program.length - 1]?.code;
  if (last !== CODE.RET_K && last !== CODE.RET_A) return { instruction: program.length - 1, reason: "no-return" };
  return findUninitialisedLoad(program);
}

/** `following`: how many instructions come after this one. */
function instructionFlaw(
  { code, jumpTrue, jumpFalse, k }: Instruction,
  following: number,
): ProgramFlaw["reason"] | null {
  if (!KNOWN_CODES.has(code)) return "code";
  switch (code) {
    case CODE.LD_ABS:
      return k % 4 === 0 && k < DATA_SIZE ? null : "load-offset";
    case CODE.LD_MEM:
    case CODE.LDX_MEM:
    case CODE.ST:
    case CODE.STX:
      return k < MEMORY_WORDS ? null : "memory-index";
    case CODE.DIV_K:
      return k === 0 ? "division-by-zero" : null;
    case CODE.LSH_K:
    case CODE.RSH_K:
      return k < 32 ? null : "shift-range";
    case CODE.JA:
      return k < following ? null : "jump-range";
    default:
      if ((code & 0x07) !== 0x05) return null;
      return jumpTrue < following && jumpFalse < following ? null : "jump-range";
  }
}

/** check_load_and_stores: a word of memory is readable only when every path before has written it. */
function findUninitialisedLoad(program: readonly Instruction[]): ProgramFlaw | null {
  const written = new Uint16Array(program.length).fill(0xffff);
  let valid = 0;
  for (const [index, { code, jumpTrue, jumpFalse, k }] of program.entries()) {
    valid &= written[index] ?? 0;
    const flow = (target: number): void => {
      written[target] = (written[target] ?? 0) & valid;
    };
    if (code === CODE.ST || code === CODE.STX) valid |= 1 << k;
    else if (code === CODE.LD_MEM || code === CODE.LDX_MEM) {
      if ((valid & (1 << k)) === 0) return { instruction: index, reason: "memory-uninitialised" };
    } else if (code === CODE.JA) {
      flow(index + 1 + k);
      valid = 0xffff;
    } else if ((code & 0x07) === 0x05) {
      flow(index + 1 + jumpTrue);
      flow(index + 1 + jumpFalse);
      valid = 0xffff;
    }
  }
  return null;
}
