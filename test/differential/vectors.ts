/**
 * Calls that tell two filters apart: every number of an architecture, and arguments at and around every constant that
 * the filter compares with.
 */
import type { Architecture } from "../../src/profile/architectures.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import type { ArchitectureRules, CallRule, Comparison, SeccompData } from "../../src/seccomp/filter.ts";

const MASK64 = 0xffffffffffffffffn;
type Arguments = SeccompData["args"];
const NO_ARGUMENTS: Arguments = [0n, 0n, 0n, 0n, 0n, 0n];

/** The numbers of the table with their neighbours, and the edges of the number space. */
export function numbersOf(architecture: Architecture, rules: ArchitectureRules): readonly number[] {
  const numbers = new Set<number>();
  const add = (number: number): void => void (number >= 0 && number <= 0xffffffff && numbers.add(number));
  for (const number of syscallTable(architecture.name).names.keys())
    for (const near of [number - 1, number, number + 1]) add(near);
  for (const { first, last } of rules.ranges)
    for (const edge of [first, last]) for (const by of [-1, 0, 1]) add(edge + by);
  for (const number of [0, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) add(number);
  return [...numbers].sort((a, b) => a - b);
}

/** Values that a comparison may treat differently from their neighbours. */
function boundaryValues({ value, mask, operator }: Comparison): readonly bigint[] {
  const values = [value - 1n, value, value + 1n, value ^ (1n << 32n), value ^ (1n << 63n), value | (MASK64 << 32n)];
  if (operator === "MASKED_EQ") {
    values.push(value | (~mask & MASK64), value ^ (mask & -mask), value ^ mask, mask, ~mask & MASK64);
    for (let bit = 0n; bit < 64n; bit++) if ((mask >> bit) & 1n) values.push(value ^ (1n << bit));
  }
  return values.map((entry) => BigInt.asUintN(64, entry));
}

/** Argument vectors for a call: all combinations up to a few hundred, each comparison's boundaries in turn beyond. */
export function argumentsOf(call: CallRule | undefined): readonly Arguments[] {
  const comparisons = (call?.clauses ?? []).flatMap((clause) => clause.comparisons);
  if (comparisons.length === 0) return [NO_ARGUMENTS, [MASK64, MASK64, MASK64, MASK64, MASK64, MASK64]];
  const values = new Map<number, Set<bigint>>();
  for (const comparison of comparisons) {
    const known = values.get(comparison.index) ?? new Set([0n, 1n, 0xffffffffn, 1n << 32n, MASK64]);
    for (const value of boundaryValues(comparison)) known.add(value);
    values.set(comparison.index, known);
  }
  let vectors: bigint[][] = [[0n, 0n, 0n, 0n, 0n, 0n]];
  const total = [...values.values()].reduce((product, set) => product * set.size, 1);
  if (total <= 4000) {
    for (const [index, set] of values)
      vectors = vectors.flatMap((vector) => [...set].map((value) => vector.toSpliced(index, 1, value)));
    return vectors as unknown as readonly Arguments[];
  }
  // Start from the data of every clause, so that changing one argument decides it.
  const starts = (call?.clauses ?? []).map((clause) => {
    const start = [0n, 0n, 0n, 0n, 0n, 0n];
    for (const { index, value } of clause.comparisons) start[index] = value;
    return start;
  });
  return [[0n, 0n, 0n, 0n, 0n, 0n], ...starts].flatMap((start) =>
    [...values].flatMap(([index, set]) => [...set].map((value) => start.toSpliced(index, 1, value))),
  ) as unknown as readonly Arguments[];
}

/** Every vector of one architecture of a filter. */
export function* callsOf(architecture: Architecture, rules: ArchitectureRules): Generator<SeccompData> {
  const byNumber = new Map(rules.calls.map((call) => [call.number, call]));
  for (const number of numbersOf(architecture, rules))
    for (const args of argumentsOf(byNumber.get(number)))
      yield { number, architecture: architecture.auditArchitecture, instructionPointer: 0n, args };
}
