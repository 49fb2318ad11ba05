/**
 * What a program executes, whoever compiled it. Averages are over the calls of the subject's architecture: all of its
 * table alike, or by the mix. A call whose arguments are checked counts with its mean over arguments at and around every
 * constant that the filter compares with.
 */
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { CODE } from "../../src/seccomp/bpf.ts";
import { type PreparedProgram, simulate } from "../../src/seccomp/simulate.ts";
import { argumentsOf } from "../../test/differential/vectors.ts";
import type { Subject } from "./subjects.ts";

export interface Figures {
  readonly instructions: number;
  readonly uniform: number;
  readonly mix: number;
  readonly worst: number;
}

export function figuresOf(subject: Subject, program: PreparedProgram): Figures {
  const executed = executedByNumber(subject, program);
  const mean = (weights: Iterable<readonly [number: number, weight: number]>): number => {
    let sum = 0;
    let total = 0;
    for (const [number, weight] of weights) {
      sum += (executed.get(number) ?? 0) * weight;
      total += weight;
    }
    return sum / total;
  };
  return {
    instructions: program.instructions.length,
    uniform: mean([...executed.keys()].map((number) => [number, 1])),
    mix: mean(subject.weights.map(({ number, weight }) => [number, weight])),
    worst: longestPath(program),
  };
}

function executedByNumber({ architecture, filter }: Subject, program: PreparedProgram): Map<number, number> {
  const { auditArchitecture, bigEndian, name } = architecture;
  const rules = filter.architectures.find((entry) => entry.auditArchitecture === auditArchitecture);
  const calls = new Map(rules?.calls.map((call) => [call.number, call]));
  const executed = new Map<number, number>();
  for (const number of syscallTable(name).names.keys()) {
    const vectors = argumentsOf(calls.get(number));
    let sum = 0;
    for (const args of vectors) {
      const data = { number, architecture: auditArchitecture, instructionPointer: 0n, args };
      sum += simulate(program, data, bigEndian).executed;
    }
    executed.set(number, sum / vectors.length);
  }
  return executed;
}

/** By the program's text alone, whether or not a call can take that path. */
function longestPath({ instructions }: PreparedProgram): number {
  const longest: number[] = [];
  const at = (index: number): number => longest[index] ?? 0;
  for (let index = instructions.length - 1; index >= 0; index--) {
    const { code = 0, jumpTrue = 0, jumpFalse = 0, k = 0 } = instructions[index] ?? {};
    if (code === CODE.RET_K || code === CODE.RET_A) longest[index] = 1;
    else if (code === CODE.JA) longest[index] = 1 + at(index + 1 + k);
    else if ((code & 7) === 5) longest[index] = 1 + Math.max(at(index + 1 + jumpTrue), at(index + 1 + jumpFalse));
    else longest[index] = 1 + at(index + 1);
  }
  return at(0);
}
