/**
 * The function that a program computes, as a diagram. Programs have no loops, so one pass forward finds every content of
 * the registers and the scratch memory that an instruction can meet, and one pass backward composes the outcomes.
 * Nothing is guessed: where a value has no compact diagram (a product of arguments, an argument returned as action) the
 * execution gives up and says at which instruction.
 */

import { codeAt, isTest, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";
import { Diagram, FALSE, TRUE, variableOf } from "./diagram";
import { grown, NONE } from "./instruction-graph";

/** A register's content: a constant, a masked word of `struct seccomp_data`, or any 32 conditions. */
const CONSTANT: u8 = 0;
const WORD: u8 = 1;
const VECTOR: u8 = 2;

const WORD_BITS: i32 = 32;
const MEMORY_WORDS: i32 = 16;
const ALL: u32 = 0xffffffff;

/** Distinct contents and states of one program; compilers make a dozen. */
const LIMIT: i32 = 1 << 10;

/** Pairs of an instruction and a state that it meets. */
const VISIT_LIMIT: i32 = 1 << 16;

const UNKNOWN: i32 = -1;

export class SymbolicExecution {
  private diagram: Diagram;
  private program: usize;
  private length: u32;
  /** The instruction that cannot be followed, or −1. */
  undecided: i32 = -1;

  private valueCount: i32 = 0;
  private kind: StaticArray<u8> = new StaticArray<u8>(LIMIT);
  /** The constant, or the mask of a word, or where a vector's conditions begin in `bits`. */
  private operand: StaticArray<u32> = new StaticArray<u32>(LIMIT);
  private word: StaticArray<i32> = new StaticArray<i32>(LIMIT);
  private bits: StaticArray<i32> = new StaticArray<i32>(0);
  private scratch: StaticArray<i32> = new StaticArray<i32>(WORD_BITS);

  private stateCount: i32 = 0;
  /** Eighteen values a state: accumulator, index register, scratch memory. */
  private states: StaticArray<i32> = new StaticArray<i32>(18 * 64);

  private fields: StaticArray<i32> = new StaticArray<i32>(18);

  private visitCount: i32 = 0;
  private visitState: StaticArray<i32> = new StaticArray<i32>(512);
  private visitNext: StaticArray<i32> = new StaticArray<i32>(512);
  private visitResult: StaticArray<i32> = new StaticArray<i32>(512);
  /** By instruction: its first visit, plus one. */
  private firstVisit: StaticArray<i32>;

  /** @param program checked */
  constructor(diagram: Diagram, program: usize, length: u32) {
    this.diagram = diagram;
    this.program = program;
    this.length = length;
    this.firstVisit = new StaticArray<i32>(<i32>length);
  }

  /** The program's outcome; void when `undecided` is set or the diagram is exhausted. */
  run(): i32 {
    const zero = this.constant(0);
    for (let i = 0; i < 2 + MEMORY_WORDS; i++) this.fields[i] = zero;
    this.visit(0, this.internState(this.fields));
    for (let pc: u32 = 0; pc < this.length; pc++) {
      for (let visit = this.firstVisit[pc] - 1; visit != NONE; visit = this.visitNext[visit] - 1) {
        this.stepForward(pc, visit);
        if (this.undecided >= 0 || this.diagram.exhausted) return FALSE;
      }
    }
    for (let pc = <i32>this.length - 1; pc >= 0; pc--) {
      for (let visit = this.firstVisit[pc] - 1; visit != NONE; visit = this.visitNext[visit] - 1) {
        this.visitResult[visit] = this.stepBackward(pc, this.visitState[visit]);
        if (this.undecided >= 0 || this.diagram.exhausted) return FALSE;
      }
    }
    return this.visitResult[this.firstVisit[0] - 1];
  }

  private stepForward(pc: u32, visit: i32): void {
    const code = codeAt(this.program, pc);
    const state = this.visitState[visit];
    if (code == 0x06 || code == 0x16) return;
    if (isTest(code)) {
      // What is compared with a word hardly ever settles it; then one of the ways is followed in vain.
      const condition = this.kind[this.accumulatorOf(state)] == WORD ? UNKNOWN : this.conditionOf(pc, state);
      if (condition != FALSE) this.visit(pc + 1 + jumpTrueAt(this.program, pc), state);
      if (condition != TRUE) this.visit(pc + 1 + jumpFalseAt(this.program, pc), state);
      return;
    }
    if (code == 0x05) {
      this.visit(pc + 1 + operandAt(this.program, pc), state);
      return;
    }
    const after = this.stateAfter(pc, state);
    if (after != UNKNOWN) this.visit(pc + 1, after);
  }

  private stepBackward(pc: u32, state: i32): i32 {
    const code = codeAt(this.program, pc);
    const k = operandAt(this.program, pc);
    if (code == 0x06) return this.diagram.action(k);
    if (code == 0x16) return this.returned(pc, state);
    if (code == 0x05) return this.resultAt(pc + 1 + k, state);
    if (isTest(code)) {
      const onTrue = pc + 1 + jumpTrueAt(this.program, pc);
      const onFalse = pc + 1 + jumpFalseAt(this.program, pc);
      const a = this.accumulatorOf(state);
      if (this.kind[a] == WORD && this.operand[a] == ALL && (code == 0x15 || code == 0x35)) {
        const holds = this.resultAt(onTrue, state);
        const fails = this.resultAt(onFalse, state);
        const first = variableOf(this.word[a], 31);
        if (this.diagram.isFrom(first, holds) && this.diagram.isFrom(first, fails)) {
          return this.diagram.compare(first, 1 << 31, k, code == 0x15, holds, fails);
        }
      }
      const condition = this.conditionOf(pc, state);
      if (condition == TRUE) return this.resultAt(onTrue, state);
      if (condition == FALSE) return this.resultAt(onFalse, state);
      return this.diagram.choose(condition, this.resultAt(onTrue, state), this.resultAt(onFalse, state));
    }
    // Division by an index register of zero ends the program with 0.
    if (code == 0x3c && this.isConstant(this.indexOf(state), 0)) return this.diagram.action(0);
    return this.resultAt(pc + 1, this.stateAfter(pc, state));
  }

  private returned(pc: u32, state: i32): i32 {
    const value = this.accumulatorOf(state);
    if (this.kind[value] == CONSTANT) return this.diagram.action(this.operand[value]);
    this.undecided = pc;
    return FALSE;
  }

  private visit(pc: u32, state: i32): void {
    for (let visit = this.firstVisit[pc] - 1; visit != NONE; visit = this.visitNext[visit] - 1) {
      if (this.visitState[visit] == state) return;
    }
    if (this.visitCount == VISIT_LIMIT) {
      this.undecided = pc;
      return;
    }
    if (this.visitCount == this.visitState.length) {
      this.visitState = grown<i32>(this.visitState);
      this.visitNext = grown<i32>(this.visitNext);
      this.visitResult = grown<i32>(this.visitResult);
    }
    const visit = this.visitCount++;
    unchecked((this.visitState[visit] = state));
    unchecked((this.visitNext[visit] = this.firstVisit[pc]));
    unchecked((this.firstVisit[pc] = visit + 1));
  }

  private resultAt(pc: u32, state: i32): i32 {
    let visit = this.firstVisit[pc] - 1;
    while (this.visitState[visit] != state) visit = this.visitNext[visit] - 1;
    return this.visitResult[visit];
  }

  // States.

  private accumulatorOf(state: i32): i32 {
    return this.states[state * 18];
  }

  private indexOf(state: i32): i32 {
    return this.states[state * 18 + 1];
  }

  private internState(fields: StaticArray<i32>): i32 {
    const bytes = 18 * sizeof<i32>();
    for (let state = 0; state < this.stateCount; state++) {
      if (memory.compare(changetype<usize>(this.states) + state * bytes, changetype<usize>(fields), bytes) == 0) {
        return state;
      }
    }
    if (this.stateCount == LIMIT) return UNKNOWN;
    if (this.stateCount * 18 == this.states.length) this.states = grown<i32>(this.states);
    memory.copy(changetype<usize>(this.states) + this.stateCount * bytes, changetype<usize>(fields), bytes);
    return this.stateCount++;
  }

  private replaced(pc: u32, state: i32, field: i32, value: i32): i32 {
    if (value != UNKNOWN) {
      const fields = this.fields;
      for (let i = 0; i < 18; i++) fields[i] = unchecked(this.states[state * 18 + i]);
      fields[field] = value;
      const after = this.internState(fields);
      if (after != UNKNOWN) return after;
    }
    this.undecided = pc;
    return UNKNOWN;
  }

  /** The state that an instruction without a jump leaves behind. */
  private stateAfter(pc: u32, state: i32): i32 {
    const code = codeAt(this.program, pc);
    const k = operandAt(this.program, pc);
    const accumulator = this.accumulatorOf(state);
    const index = this.indexOf(state);
    switch (code) {
      case 0x20:
        return this.replaced(pc, state, 0, this.wordValue(k >> 2, ALL));
      case 0x80:
        return this.replaced(pc, state, 0, this.constant(64));
      case 0x81:
        return this.replaced(pc, state, 1, this.constant(64));
      case 0x00:
        return this.replaced(pc, state, 0, this.constant(k));
      case 0x01:
        return this.replaced(pc, state, 1, this.constant(k));
      case 0x60:
        return this.replaced(pc, state, 0, this.states[state * 18 + 2 + k]);
      case 0x61:
        return this.replaced(pc, state, 1, this.states[state * 18 + 2 + k]);
      case 0x02:
        return this.replaced(pc, state, 2 + k, accumulator);
      case 0x03:
        return this.replaced(pc, state, 2 + k, index);
      case 0x07:
        return this.replaced(pc, state, 1, accumulator);
      case 0x87:
        return this.replaced(pc, state, 0, index);
      case 0x84:
        return this.replaced(pc, state, 0, this.sum(this.constant(0), accumulator, true));
      default:
        return this.replaced(pc, state, 0, this.arithmetic(code, accumulator, code & 8 ? index : this.constant(k)));
    }
  }

  // Values.

  private constant(k: u32): i32 {
    return this.internValue(CONSTANT, k, 0);
  }

  private wordValue(word: i32, mask: u32): i32 {
    return mask == 0 ? this.constant(0) : this.internValue(WORD, mask, word);
  }

  private internValue(kind: u8, operand: u32, word: i32): i32 {
    for (let value = 0; value < this.valueCount; value++) {
      if (unchecked(this.kind[value] != kind || this.operand[value] != operand)) continue;
      if (unchecked(this.word[value]) == word) return value;
    }
    if (this.valueCount == LIMIT) return UNKNOWN;
    const value = this.valueCount++;
    this.kind[value] = kind;
    this.operand[value] = operand;
    this.word[value] = word;
    return value;
  }

  /** Interns the conditions in `scratch`. */
  private vector(): i32 {
    let constant = true;
    let k: u32 = 0;
    for (let position = 0; position < WORD_BITS; position++) {
      const bit = unchecked(this.scratch[position]);
      if (bit == TRUE) k |= 1 << position;
      else if (bit != FALSE) constant = false;
    }
    if (constant) return this.constant(k);
    const bytes = WORD_BITS * sizeof<i32>();
    const from = changetype<usize>(this.scratch);
    for (let value = 0; value < this.valueCount; value++) {
      if (this.kind[value] != VECTOR) continue;
      if (memory.compare(changetype<usize>(this.bits) + this.operand[value] * sizeof<i32>(), from, bytes) == 0)
        return value;
    }
    if (this.bits.length == 0) this.bits = new StaticArray<i32>(LIMIT * WORD_BITS);
    const start = this.valueCount * WORD_BITS;
    if (this.valueCount == LIMIT) return UNKNOWN;
    memory.copy(changetype<usize>(this.bits) + start * sizeof<i32>(), from, bytes);
    return this.internValue(VECTOR, start, 0);
  }

  private isConstant(value: i32, k: u32): bool {
    return this.kind[value] == CONSTANT && this.operand[value] == k;
  }

  private bitOf(value: i32, position: i32): i32 {
    const operand = this.operand[value];
    if (this.kind[value] == VECTOR) return this.bits[operand + position];
    if ((operand & (1 << position)) == 0) return FALSE;
    if (this.kind[value] == CONSTANT) return TRUE;
    return this.diagram.bit(variableOf(this.word[value], position), FALSE, TRUE);
  }

  private arithmetic(code: u16, a: i32, b: i32): i32 {
    const known = this.kind[b] == CONSTANT;
    const k = this.operand[b];
    if (known && this.kind[a] == CONSTANT) return this.constantArithmetic(code, this.operand[a], k);
    const scratch = this.scratch;
    switch (code & ~8) {
      case 0x54:
        if (known && this.kind[a] == WORD) return this.wordValue(this.word[a], this.operand[a] & k);
        for (let i = 0; i < WORD_BITS; i++)
          unchecked((scratch[i] = this.diagram.and(this.bitOf(a, i), this.bitOf(b, i))));
        return this.vector();
      case 0x44:
        for (let i = 0; i < WORD_BITS; i++)
          unchecked((scratch[i] = this.diagram.or(this.bitOf(a, i), this.bitOf(b, i))));
        return this.vector();
      case 0xa4:
        for (let i = 0; i < WORD_BITS; i++)
          unchecked((scratch[i] = this.diagram.xor(this.bitOf(a, i), this.bitOf(b, i))));
        return this.vector();
      case 0x04:
        return this.sum(a, b, false);
      case 0x14:
        return this.sum(a, b, true);
      case 0x64:
        return known ? this.shifted(a, <i32>(k & 31)) : UNKNOWN;
      case 0x74:
        return known ? this.shifted(a, -(<i32>(k & 31))) : UNKNOWN;
      default:
        return UNKNOWN;
    }
  }

  private constantArithmetic(code: u16, a: u32, b: u32): i32 {
    switch (code & ~8) {
      case 0x04:
        return this.constant(a + b);
      case 0x14:
        return this.constant(a - b);
      case 0x24:
        return this.constant(a * b);
      case 0x34:
        // By a register of zero the program has ended.
        return this.constant(b == 0 ? 0 : a / b);
      case 0x44:
        return this.constant(a | b);
      case 0x54:
        return this.constant(a & b);
      case 0x64:
        return this.constant(a << (b & 31));
      case 0x74:
        return this.constant(a >> (b & 31));
      default:
        return this.constant(a ^ b);
    }
  }

  /** @param by bits to the left */
  private shifted(a: i32, by: i32): i32 {
    for (let i = 0; i < WORD_BITS; i++) {
      const from = i - by;
      unchecked((this.scratch[i] = from < 0 || from >= WORD_BITS ? FALSE : this.bitOf(a, from)));
    }
    return this.vector();
  }

  private sum(a: i32, b: i32, subtract: bool): i32 {
    let carry = subtract ? TRUE : FALSE;
    for (let i = 0; i < WORD_BITS; i++) {
      const x = this.bitOf(a, i);
      const y = subtract ? this.diagram.not(this.bitOf(b, i)) : this.bitOf(b, i);
      const half = this.diagram.xor(x, y);
      unchecked((this.scratch[i] = this.diagram.xor(half, carry)));
      carry = this.diagram.or(this.diagram.and(x, y), this.diagram.and(half, carry));
    }
    return this.vector();
  }

  // Conditions.

  private conditionOf(pc: u32, state: i32): i32 {
    const code = codeAt(this.program, pc);
    const a = this.accumulatorOf(state);
    const b = code & 8 ? this.indexOf(state) : NONE;
    if (b != NONE && this.kind[b] != CONSTANT) return this.compared(code, a, b);
    const k = b == NONE ? operandAt(this.program, pc) : this.operand[b];
    if (this.kind[a] != WORD) return this.compared(code, a, this.constant(k));
    const word = this.word[a];
    const mask = this.operand[a];
    switch (code & ~8) {
      case 0x15:
        return this.diagram.equal(word, mask, k);
      case 0x25:
        return this.diagram.above(word, mask, k);
      case 0x35:
        return this.diagram.atLeast(word, mask, k);
      default:
        return this.diagram.any(word, mask & k);
    }
  }

  /** Any two values, bit by bit from the least significant one. */
  private compared(code: u16, a: i32, b: i32): i32 {
    if (b == UNKNOWN) {
      this.undecided = 0;
      return FALSE;
    }
    const diagram = this.diagram;
    const operation = code & ~8;
    let result = operation == 0x15 || operation == 0x35 ? TRUE : FALSE;
    for (let i = 0; i < WORD_BITS; i++) {
      const x = this.bitOf(a, i);
      const y = this.bitOf(b, i);
      if (operation == 0x45) result = diagram.or(result, diagram.and(x, y));
      else if (operation == 0x15) result = diagram.choose(diagram.xor(x, y), FALSE, result);
      else result = diagram.choose(diagram.xor(x, y), x, result);
    }
    return result;
  }
}
