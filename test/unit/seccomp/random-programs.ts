/**
 * Arbitraries for BPF programs: valid ones of every instruction, and bytes that only look like one. Valid programs are in
 * the disassembler's normal form: what an instruction does not use is zero.
 */
import * as fc from "fast-check";
import { CODE, encodeProgram, findFlaw, type Instruction, MEMORY_WORDS } from "../../../src/seccomp/bpf.ts";
import type { SeccompData } from "../../../src/seccomp/filter.ts";
import { ARCHITECTURE } from "./random-filters.ts";

const constant = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    31,
    32,
    0xff,
    0x7fff0000,
    0x80000000,
    0xffffffff,
    0x40000000,
    ...Object.values(ARCHITECTURE),
  ),
  fc.nat(600),
  fc.nat(0xffffffff),
);

/** Where a jump leads, as a share of what is left. */
const share = fc.integer({ min: 0, max: 100 });

interface Draft {
  readonly code: number;
  readonly k: number;
  readonly jumps: readonly [number, number];
}

const TESTS = [CODE.JEQ_K, CODE.JGT_K, CODE.JGE_K, CODE.JSET_K] as const;
const TESTS_OF_REGISTERS = [CODE.JEQ_X, CODE.JGT_X, CODE.JGE_X, CODE.JSET_X] as const;
const ARITHMETIC = [CODE.ADD_K, CODE.SUB_K, CODE.MUL_K, CODE.DIV_K, CODE.OR_K, CODE.AND_K, CODE.XOR_K] as const;
const SHIFTS = [CODE.LSH_K, CODE.RSH_K] as const;
const WITHOUT_OPERAND = [
  CODE.LD_LEN,
  CODE.LDX_LEN,
  CODE.ADD_X,
  CODE.SUB_X,
  CODE.MUL_X,
  CODE.DIV_X,
  CODE.OR_X,
  CODE.AND_X,
  CODE.LSH_X,
  CODE.RSH_X,
  CODE.NEG,
  CODE.XOR_X,
  CODE.RET_A,
  CODE.TAX,
  CODE.TXA,
] as const;

const draft = (codes: readonly number[], k: fc.Arbitrary<number>): fc.Arbitrary<Draft> =>
  fc.record({ code: fc.constantFrom(...codes), k, jumps: fc.tuple(share, share) });

const nothing = fc.constant(0);
const load = draft(
  [CODE.LD_ABS],
  fc.nat(15).map((word) => word * 4),
);

/** What compilers of filters use. */
const usual: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 3, arbitrary: load },
  { weight: 4, arbitrary: draft(TESTS, constant) },
  { weight: 1, arbitrary: draft([CODE.AND_K], constant) },
  { weight: 1, arbitrary: draft([CODE.RET_K], constant) },
  { weight: 1, arbitrary: draft([CODE.JA], nothing) },
);

const any: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 8, arbitrary: usual },
  { weight: 2, arbitrary: draft(TESTS_OF_REGISTERS, nothing) },
  { weight: 2, arbitrary: draft(WITHOUT_OPERAND, nothing) },
  { weight: 2, arbitrary: draft([CODE.LD_IMM, CODE.LDX_IMM], constant) },
  {
    weight: 2,
    arbitrary: draft(
      ARITHMETIC,
      constant.map((k) => Math.max(k, 1)),
    ),
  },
  { weight: 1, arbitrary: draft(SHIFTS, fc.nat(31)) },
  { weight: 2, arbitrary: draft([CODE.ST, CODE.STX, CODE.LD_MEM, CODE.LDX_MEM], fc.nat(MEMORY_WORDS - 1)) },
);

/** Bends jumps to what is left and scratch memory to what is written. */
function assembleDrafts(drafts: readonly Draft[]): Instruction[] {
  const length = drafts.length + 1;
  const program: Instruction[] = drafts.map(({ code, k, jumps }, index) => {
    const left = length - index - 2;
    const reach = (part: number, limit: number): number => Math.min(Math.floor((left * part) / 100), limit);
    if (code === CODE.JA) return { code, jumpTrue: 0, jumpFalse: 0, k: reach(jumps[0], left) };
    if ((code & 7) !== 5) return { code, jumpTrue: 0, jumpFalse: 0, k };
    return { code, jumpTrue: reach(jumps[0], 255), jumpFalse: reach(jumps[1], 255), k };
  });
  program.push({ code: CODE.RET_K, jumpTrue: 0, jumpFalse: 0, k: 0x7fff0000 });
  for (let flaw = findFlaw(program); flaw !== null; flaw = findFlaw(program)) {
    // Only reads of scratch memory that is not written can be wrong by now.
    program[flaw.instruction] = { code: CODE.LD_IMM, jumpTrue: 0, jumpFalse: 0, k: flaw.instruction };
  }
  return program;
}

const programsOf = (instruction: fc.Arbitrary<Draft>): fc.Arbitrary<Instruction[]> =>
  fc.array(instruction, { maxLength: 40 }).map(assembleDrafts);

/** Valid programs of every instruction. */
export const programs: fc.Arbitrary<Instruction[]> = programsOf(any);

/** Valid programs of the instructions that filters are made of, which analysis and proof can always follow. */
export const usualPrograms: fc.Arbitrary<Instruction[]> = programsOf(usual);

/** Bytes: a valid program with some of them changed, or anything at all. */
export const hostilePrograms: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(programs, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([program, changes]) => {
        const bytes = encodeProgram(program);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 25 }).map((bytes) => bytes.subarray(0, bytes.length & ~7)) },
);

const word = fc.oneof(constant, fc.nat(0xffffffff));
const argument = fc.tuple(word, word).map(([high, low]) => (BigInt(high) << 32n) | BigInt(low));

/** Calls at and around the constants that programs here compare with. */
export const calls: fc.Arbitrary<SeccompData> = fc.record({
  number: word,
  architecture: word,
  instructionPointer: argument,
  args: fc.tuple(argument, argument, argument, argument, argument, argument),
});
