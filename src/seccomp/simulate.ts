/**
 * A fast interpreter of seccomp programs, for tests, measurements and `pycri seccomp simulate`. Prepare a program once
 * with `prepareProgram`, then run it on as many calls as you like.
 */

import { CODE, decodeProgram, findFlaw, type Instruction, MEMORY_WORDS } from "./bpf.ts";
import type { SeccompData } from "./filter.ts";
import { RuntimeError } from "../errors.ts";

/** A checked program, ready to run. */
export interface PreparedProgram {
  readonly instructions: readonly Instruction[];
  /** Four words an instruction: code, jumpTrue, jumpFalse, k. */
  readonly words: Uint32Array;
}

export interface Execution {
  /** SECCOMP_RET_*, unsigned 32-bit. */
  readonly action: number;
  /** Executed instructions, the return included. */
  readonly executed: number;
}

/** Words of a `struct seccomp_data` as `runProgram` reads it. */
export const DATA_WORDS = 16;

/**
 * Checks a program as the kernel does.
 * @param program packed little-endian `struct sock_filter[]`
 * @throws RuntimeError INVALID_DOCUMENT where the kernel would answer EINVAL
 */
export function prepareProgram(program: Uint8Array): PreparedProgram {
  const instructions = decodeProgram(program);
  const flaw = findFlaw(instructions);
  if (flaw !== null) {
    throw new RuntimeError(
      "INVALID_DOCUMENT",
      `Cannot run the BPF program: instruction ${flaw.instruction} is invalid (${flaw.reason})`,
      { details: { ...flaw } },
    );
  }
  const words = new Uint32Array(instructions.length * 4);
  for (const [index, { code, jumpTrue, jumpFalse, k }] of instructions.entries()) {
    words.set([code, jumpTrue, jumpFalse, k], index * 4);
  }
  return { instructions, words };
}

/** Runs a program on one call. `bigEndian` is the byte order of the call's architecture. */
export function simulate(program: PreparedProgram, data: SeccompData, bigEndian = false): Execution {
  const words = new Uint32Array(DATA_WORDS);
  writeData(words, data, bigEndian);
  const action = runProgram(program, words);
  return { action, executed: executedInstructions() };
}

/** Lays a call out as `struct seccomp_data`, as the words that `BPF_LD | BPF_W | BPF_ABS` loads. */
export function writeData(words: Uint32Array, data: SeccompData, bigEndian: boolean): void {
  words[0] = data.number;
  words[1] = data.architecture;
  const high = bigEndian ? 0 : 1;
  for (const [index, value] of [data.instructionPointer, ...data.args].entries()) {
    words[2 + index * 2 + high] = Number(value >> 32n);
    words[2 + index * 2 + 1 - high] = Number(value & 0xffffffffn);
  }
}

const memory = new Uint32Array(MEMORY_WORDS);
let executed = 0;

/** Instructions that the last `runProgram` executed. */
export function executedInstructions(): number {
  return executed;
}

/**
 * Runs a program on the sixteen words of a `struct seccomp_data` and returns the action. Allocates nothing, for loops
 * over millions of calls.
 */
export function runProgram({ words }: PreparedProgram, data: Uint32Array): number {
  let a = 0;
  let x = 0;
  let count = 0;
  // Loads stay within bounds, as `prepareProgram` has checked every jump, offset and index.
  for (let at = 0; ; at += 4) {
    count++;
    const code = words[at] as number;
    const k = words[at + 3] as number;
    switch (code) {
      case CODE.LD_ABS:
        a = data[k >>> 2] as number;
        break;
      case CODE.JEQ_K:
        at += (words[at + (a === k ? 1 : 2)] as number) << 2;
        break;
      case CODE.JGE_K:
        at += (words[at + (a >= k ? 1 : 2)] as number) << 2;
        break;
      case CODE.JGT_K:
        at += (words[at + (a > k ? 1 : 2)] as number) << 2;
        break;
      case CODE.JSET_K:
        at += (words[at + ((a & k) !== 0 ? 1 : 2)] as number) << 2;
        break;
      case CODE.AND_K:
        a = (a & k) >>> 0;
        break;
      case CODE.JA:
        at += k << 2;
        break;
      case CODE.RET_K:
        executed = count;
        return k;
      case CODE.RET_A:
        executed = count;
        return a;
      case CODE.JEQ_X:
        at += (words[at + (a === x ? 1 : 2)] as number) << 2;
        break;
      case CODE.JGE_X:
        at += (words[at + (a >= x ? 1 : 2)] as number) << 2;
        break;
      case CODE.JGT_X:
        at += (words[at + (a > x ? 1 : 2)] as number) << 2;
        break;
      case CODE.JSET_X:
        at += (words[at + ((a & x) !== 0 ? 1 : 2)] as number) << 2;
        break;
      case CODE.LD_LEN:
        a = 64;
        break;
      case CODE.LDX_LEN:
        x = 64;
        break;
      case CODE.LD_IMM:
        a = k;
        break;
      case CODE.LDX_IMM:
        x = k;
        break;
      case CODE.LD_MEM:
        a = memory[k] as number;
        break;
      case CODE.LDX_MEM:
        x = memory[k] as number;
        break;
      case CODE.ST:
        memory[k] = a;
        break;
      case CODE.STX:
        memory[k] = x;
        break;
      case CODE.TAX:
        x = a;
        break;
      case CODE.TXA:
        a = x;
        break;
      case CODE.NEG:
        a = -a >>> 0;
        break;
      case CODE.DIV_X:
        // The kernel ends a program that divides by zero with 0, which is SECCOMP_RET_KILL_THREAD.
        if (x === 0) {
          executed = count;
          return 0;
        }
        a = Math.floor(a / x);
        break;
      default:
        a = arithmetic(code, a, (code & 0x08) === 0 ? k : x);
    }
  }
}

function arithmetic(code: number, a: number, operand: number): number {
  switch (code & ~0x08) {
    case CODE.ADD_K:
      return (a + operand) >>> 0;
    case CODE.SUB_K:
      return (a - operand) >>> 0;
    case CODE.MUL_K:
      return Math.imul(a, operand) >>> 0;
    case CODE.DIV_K:
      return Math.floor(a / operand);
    case CODE.OR_K:
      return (a | operand) >>> 0;
    case CODE.AND_K:
      return (a & operand) >>> 0;
    case CODE.XOR_K:
      return (a ^ operand) >>> 0;
    case CODE.LSH_K:
      return (a << (operand & 31)) >>> 0;
    case CODE.RSH_K:
      return a >>> (operand & 31);
    default:
      throw new Error(`instruction code ${code} passed the check and cannot be run`);
  }
}
