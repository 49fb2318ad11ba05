/**
 * How many instructions a finished program executes for the segments it was made for. Where arguments are checked, each
 * side of a test counts as equally likely.
 */

import { codeAt, isTest, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";
import { Segments } from "./segments";

/** Offsets in `struct seccomp_data` below this one are number and architecture. */
const KNOWN_OFFSETS: u32 = 8;

export class Measure {
  weighted: f64 = 0;
  uniform: f64 = 0;
  worst: u32 = 0;
  private program: usize;
  /** By instruction: executed instructions from it to a return, on average. */
  private mean: StaticArray<f64>;
  private totalWeight: f64 = 0;
  private totalListed: f64 = 0;

  /** @param program of the compiler's own making: its jumps stay within it */
  constructor(program: usize, length: u32) {
    this.program = program;
    const mean = new StaticArray<f64>(<i32>length);
    const longest = new StaticArray<u32>(<i32>length);
    for (let pc = <i32>length - 1; pc >= 0; pc--) {
      const code = codeAt(program, pc);
      if (isTest(code)) {
        const onTrue = pc + 1 + jumpTrueAt(program, pc);
        const onFalse = pc + 1 + jumpFalseAt(program, pc);
        unchecked((mean[pc] = 1 + (mean[onTrue] + mean[onFalse]) / 2));
        unchecked((longest[pc] = 1 + max(longest[onTrue], longest[onFalse])));
      } else if (code == 0x06) {
        unchecked((mean[pc] = 1));
        unchecked((longest[pc] = 1));
      } else {
        const next = pc + 1 + (code == 0x05 ? operandAt(program, pc) : 0);
        unchecked((mean[pc] = 1 + mean[next]));
        unchecked((longest[pc] = 1 + longest[next]));
      }
    }
    this.mean = mean;
    this.worst = longest[0];
  }

  add(architecture: u32, segments: Segments): void {
    for (let i = 0; i < segments.count; i++) {
      const executed = this.executedFor(architecture, segments.first[i]);
      const listed = <f64>segments.listed[i];
      this.weighted += executed * segments.weight[i];
      this.totalWeight += segments.weight[i];
      this.uniform += executed * listed;
      this.totalListed += listed;
    }
  }

  /** Turns the sums into averages. */
  finish(): void {
    if (this.totalWeight > 0) this.weighted /= this.totalWeight;
    if (this.totalListed > 0) this.uniform /= this.totalListed;
  }

  private executedFor(architecture: u32, number: u32): f64 {
    let accumulator: u32 = 0;
    let executed: f64 = 0;
    let pc: u32 = 0;
    while (true) {
      const code = codeAt(this.program, pc);
      const k = operandAt(this.program, pc);
      if (code == 0x35) pc += accumulator >= k ? jumpTrueAt(this.program, pc) : jumpFalseAt(this.program, pc);
      else if (code == 0x15) pc += accumulator == k ? jumpTrueAt(this.program, pc) : jumpFalseAt(this.program, pc);
      else if (code == 0x05) pc += k;
      else if (code == 0x20 && k < KNOWN_OFFSETS) accumulator = k == 0 ? number : architecture;
      else return executed + this.mean[pc];
      executed += 1;
      pc++;
    }
  }
}
