/**
 * What a program answers for every call number of an architecture, as ranges, and what the kernel makes of it: since
 * Linux 5.11 it runs the filter once for each number when the filter is attached (seccomp_is_const_allow in
 * kernel/seccomp.c) and answers constant ALLOW from a bitmap afterwards.
 */

import { codeAt, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";
import { ARCHITECTURE_WORD, Diagram, NUMBER_WORD, variableOf } from "./diagram";
import { grown } from "./instruction-graph";
import { SymbolicExecution } from "./symbolic";

const ALLOW: u32 = 0x7fff0000;

/** Ranges of all tables together; a filter has a few hundred, a program that tests low bits of the number millions. */
const RANGE_LIMIT: i32 = 1 << 16;

/** Distinct actions of one range that are reported; a filter has a handful. */
const ACTION_LIMIT: i32 = 64;

export class Analysis {
  /** The instruction that cannot be followed, −1 if none; with `exhausted` the budget, or the ranges, were too few. */
  undecided: i32 = -1;
  exhausted: bool = false;
  private total: i32 = 0;
  private diagram: Diagram;
  private root: i32 = 0;
  private program: usize;

  /** By node: the latest walk that came by. */
  private seen: StaticArray<u32>;
  private walks: u32 = 0;

  /** `list<number-range>` of the latest architecture. */
  count: i32 = 0;
  first: StaticArray<u32> = new StaticArray<u32>(128);
  outcome: StaticArray<i32> = new StaticArray<i32>(128);
  cached: StaticArray<bool> = new StaticArray<bool>(128);
  /** Instructions that the kernel emulates for the latest architecture when the filter is attached. */
  emulated: u64 = 0;

  constructor(program: usize, length: u32, budget: u32) {
    const diagram = new Diagram(budget);
    const execution = new SymbolicExecution(diagram, program, length);
    this.diagram = diagram;
    this.program = program;
    this.root = execution.run();
    this.seen = new StaticArray<u32>(diagram.count);
    this.undecided = execution.undecided;
    this.exhausted = diagram.exhausted;
  }

  /**
   * Fills the ranges for one architecture.
   * @param tableSize how many numbers, from 0, the kernel's call table has
   */
  run(architecture: u32, tableSize: u32): void {
    const diagram = this.diagram;
    let node = this.root;
    for (let position = 31; position >= 0; position--) {
      const set = (architecture & (1 << position)) != 0;
      node = diagram.side(node, <u16>variableOf(ARCHITECTURE_WORD, position), set);
    }
    this.count = 0;
    this.emulated = 0;
    let number: u64 = 0;
    while (number <= u32.MAX_VALUE && !this.exhausted) {
      const outcome = this.outcomeOf(node, <u32>number);
      const end = this.end;
      // Numbers of the call table are told apart by what the kernel's emulation finds, the others are never cached.
      for (; number < end && number < tableSize; number++) {
        this.add(<u32>number, outcome, this.emulate(architecture, <u32>number));
      }
      if (number < end) this.add(<u32>number, outcome, false);
      number = end;
    }
  }

  last(index: i32): u32 {
    return index + 1 < this.count ? this.first[index + 1] - 1 : u32.MAX_VALUE;
  }

  /** Whether the range's outcome is one action. */
  isConstant(index: i32): bool {
    return this.diagram.isLeaf(this.outcome[index]);
  }

  /** The actions that a range can end in, ascending by their first occurrence; returns how many. */
  actionsOf(index: i32, actions: StaticArray<u32>): i32 {
    this.walks++;
    return this.collect(this.outcome[index], actions, 0);
  }

  actionLimit(): i32 {
    return ACTION_LIMIT;
  }

  private collect(node: i32, actions: StaticArray<u32>, count: i32): i32 {
    if (this.seen[node] == this.walks || count == ACTION_LIMIT) return count;
    this.seen[node] = this.walks;
    if (this.diagram.isLeaf(node)) {
      actions[count++] = this.diagram.actionOf(node);
      return count;
    }
    count = this.collect(this.diagram.low[node], actions, count);
    return this.collect(this.diagram.high[node], actions, count);
  }

  private end: u64 = 0;

  /** The outcome of a number; `end` becomes the number after the aligned block that is known to share it. */
  private outcomeOf(node: i32, number: u32): i32 {
    const diagram = this.diagram;
    let shared = 32;
    for (let position = 31; position >= 0; position--) {
      const variable = <u16>variableOf(NUMBER_WORD, position);
      if (diagram.variable[node] > <u16>variableOf(NUMBER_WORD, 0)) break;
      shared = position;
      node = diagram.side(node, variable, (number & (1 << position)) != 0);
    }
    this.end = ((<u64>number >> shared) + 1) << shared;
    return node;
  }

  private add(first: u32, outcome: i32, cached: bool): void {
    if (this.count > 0 && this.outcome[this.count - 1] == outcome && this.cached[this.count - 1] == cached) return;
    if (this.count == this.first.length) {
      this.first = grown<u32>(this.first);
      this.outcome = grown<i32>(this.outcome);
      this.cached = grown<bool>(this.cached);
    }
    unchecked((this.first[this.count] = first));
    unchecked((this.outcome[this.count] = outcome));
    unchecked((this.cached[this.count] = cached));
    this.count++;
    if (++this.total > RANGE_LIMIT) this.exhausted = true;
  }

  /** seccomp_is_const_allow: whether the program reaches ALLOW by number and architecture alone. */
  private emulate(architecture: u32, number: u32): bool {
    const program = this.program;
    let accumulator: u32 = 0;
    let pc: u32 = 0;
    while (true) {
      const k = operandAt(program, pc);
      this.emulated++;
      switch (codeAt(program, pc)) {
        case 0x20:
          if (k > 4) return false;
          accumulator = k == 0 ? number : architecture;
          break;
        case 0x06:
          return k == ALLOW;
        case 0x05:
          pc += k;
          break;
        case 0x15:
          pc += accumulator == k ? jumpTrueAt(program, pc) : jumpFalseAt(program, pc);
          break;
        case 0x25:
          pc += accumulator > k ? jumpTrueAt(program, pc) : jumpFalseAt(program, pc);
          break;
        case 0x35:
          pc += accumulator >= k ? jumpTrueAt(program, pc) : jumpFalseAt(program, pc);
          break;
        case 0x45:
          pc += (accumulator & k) != 0 ? jumpTrueAt(program, pc) : jumpFalseAt(program, pc);
          break;
        case 0x54:
          accumulator &= k;
          break;
        default:
          return false;
      }
      pc++;
    }
  }
}
