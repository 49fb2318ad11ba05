/**
 * Arbitraries for filters and for the calls that tell them apart: numbers and arguments at and around every constant
 * that a filter mentions, where compilers go wrong.
 */

import * as fc from "fast-check";
import type {
  ArchitectureRules,
  CallRule,
  Clause,
  Comparison,
  ComparisonOperator,
  Filter,
  NumberRange,
  SeccompData,
} from "../../../src/seccomp/filter.ts";

export const ARCHITECTURE = {
  x86_64: 0xc000003e,
  x86: 0x40000003,
  aarch64: 0xc00000b7,
  s390x: 0x80000016,
  ppc64: 0x80000015,
} as const;

const BIG_ENDIAN: ReadonlySet<number> = new Set([ARCHITECTURE.s390x, ARCHITECTURE.ppc64]);
const NARROW: ReadonlySet<number> = new Set([ARCHITECTURE.x86]);

export const ACTION = {
  allow: 0x7fff0000,
  log: 0x7ffc0000,
  trace: 0x7ff00001,
  notify: 0x7fc00000,
  errno: 0x00050001,
  enosys: 0x00050026,
  trap: 0x00030000,
  killProcess: 0x80000000,
  killThread: 0x00000000,
} as const;

const action = fc.constantFrom(
  ACTION.allow,
  ACTION.allow,
  ACTION.errno,
  ACTION.enosys,
  ACTION.killThread,
  ACTION.killProcess,
  ACTION.notify,
  ACTION.trap,
  ACTION.log,
  ACTION.trace,
);

const OPERATORS: readonly ComparisonOperator[] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

/** Few distinct values, so that rules overlap, touch and contradict each other. */
const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 8n, 0x10n, 0xffffffffn, 0x100000000n, 0x500000005n, 0xffffffffffffffffn, 0x7fffffffn),
  fc.bigInt({ min: 0n, max: 20n }),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);

const mask = fc.oneof(
  fc.constantFrom(
    0n,
    1n,
    0xfn,
    0x7e020000n,
    0xffffffffn,
    0xffffffff00000000n,
    0x8000000000000001n,
    0xffffffffffffffffn,
  ),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);

const comparison: fc.Arbitrary<Comparison> = fc
  .record({ index: fc.integer({ min: 0, max: 5 }), operator: fc.constantFrom(...OPERATORS), value, mask })
  .map(({ index, operator, value, mask }) =>
    operator === "MASKED_EQ"
      ? { index, operator, value: value & mask, mask }
      : { index, operator, value, mask: 0xffffffffffffffffn },
  );

const clause: fc.Arbitrary<Clause> = fc.record({
  comparisons: fc.array(comparison, { maxLength: 3 }),
  action,
});

/** Clauses made of few comparisons, so that some recur and others do not. */
const recurring: fc.Arbitrary<Clause[]> = fc
  .uniqueArray(comparison, { minLength: 2, maxLength: 4, selector: ({ index, operator }) => `${index}${operator}` })
  .chain((pool) =>
    fc.array(fc.record({ comparisons: fc.shuffledSubarray(pool, { minLength: 1 }), action }), {
      minLength: 2,
      maxLength: 5,
    }),
  );

/** The same question about one argument or another, so that calls share what follows it. */
const alike: fc.Arbitrary<Clause[]> = fc
  .record({ index: fc.integer({ min: 0, max: 5 }), value: fc.constantFrom(3n, 0x300000003n) })
  .map(({ index, value }) => [
    { comparisons: [{ index, operator: "EQ", value, mask: 0xffffffffffffffffn }], action: ACTION.allow },
  ]);

/** One argument compared with many constants, adjacent ones among them. */
const alternatives: fc.Arbitrary<Clause[]> = fc.integer({ min: 0, max: 5 }).chain((index) =>
  fc.array(
    fc.record({
      comparisons: fc.tuple(
        fc.record({
          index: fc.constant(index),
          operator: fc.constantFrom<ComparisonOperator>("EQ", "EQ", "EQ", "GE", "LT", "NE"),
          value: fc.oneof(fc.bigInt({ min: 0n, max: 12n }), value),
          mask: fc.constant(0xffffffffffffffffn),
        }),
      ),
      action,
    }),
    { minLength: 4, maxLength: 12 },
  ),
);

/** A rule for one number. */
export function callRule(number: number, argumentBits: 32 | 64): fc.Arbitrary<CallRule> {
  const rule = (clauses: fc.Arbitrary<readonly Clause[]>, otherwise: fc.Arbitrary<number>): fc.Arbitrary<CallRule> =>
    fc.record({ number: fc.constant(number), argumentBits: fc.constant(argumentBits), clauses, otherwise });
  return fc.oneof(
    { weight: 12, arbitrary: rule(fc.constant([]), action) },
    { weight: 4, arbitrary: rule(fc.oneof(fc.array(clause, { maxLength: 4 }), recurring, alternatives), action) },
    { weight: 1, arbitrary: rule(alike, fc.constant(ACTION.errno)) },
  );
}

/** Dense runs, lone numbers, x32 numbers and the ends of the number space. */
const numbers = fc.uniqueArray(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 3, arbitrary: fc.integer({ min: 41, max: 600 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0x40000000, max: 0x40000020 }) },
    { weight: 1, arbitrary: fc.constantFrom(0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff) },
  ),
  { maxLength: 60 },
);

const ranges: fc.Arbitrary<NumberRange[]> = fc
  .uniqueArray(fc.oneof(fc.integer({ min: 0, max: 700 }), fc.constantFrom(0x40000000, 0xffffffff)), { maxLength: 6 })
  .chain((ends) => {
    const sorted = ends.toSorted((a, b) => a - b);
    const pairs = Array.from({ length: Math.floor(sorted.length / 2) }, (_, index) => [
      sorted[index * 2] ?? 0,
      sorted[index * 2 + 1] ?? 0,
    ]);
    return fc.tuple(...pairs.map(([first = 0, last = 0]) => action.map((action) => ({ first, last, action }))));
  });

function architectureRules(auditArchitecture: number): fc.Arbitrary<ArchitectureRules> {
  const bits = NARROW.has(auditArchitecture) ? 32 : 64;
  return fc.record({
    auditArchitecture: fc.constant(auditArchitecture),
    bigEndian: fc.constant(BIG_ENDIAN.has(auditArchitecture)),
    calls: numbers.chain((list) => fc.tuple(...list.toSorted((a, b) => a - b).map((number) => callRule(number, bits)))),
    ranges,
    defaultAction: action,
  });
}

const mixed: fc.Arbitrary<Filter> = fc
  .shuffledSubarray(Object.values(ARCHITECTURE), { maxLength: 3 })
  .chain((architectures) =>
    fc.record({
      architectures: fc.tuple(...architectures.map(architectureRules)),
      unknownArchitecture: action,
    }),
  );

/** So many numbers with outcomes of their own that conditional jumps do not reach from one end to the other. */
const long: fc.Arbitrary<Filter> = fc
  .record({ every: fc.integer({ min: 1, max: 3 }), count: fc.integer({ min: 150, max: 400 }), clauses: alternatives })
  .map(({ every, count, clauses }) => ({
    architectures: [
      {
        auditArchitecture: ARCHITECTURE.x86_64,
        bigEndian: false,
        calls: Array.from({ length: count }, (_, index) => ({
          number: index * every,
          argumentBits: 64 as const,
          clauses: index % 50 === 7 ? clauses : [],
          otherwise: ACTION.errno + (index % 97),
        })),
        ranges: [],
        defaultAction: ACTION.allow,
      },
    ],
    unknownArchitecture: ACTION.killThread,
  }));

export const filters: fc.Arbitrary<Filter> = fc.oneof({ weight: 30, arbitrary: mixed }, { weight: 1, arbitrary: long });

function around(constant: bigint): bigint[] {
  return [constant - 1n, constant, constant + 1n, constant ^ (1n << 32n), constant & 0xffffffffn].map((near) =>
    BigInt.asUintN(64, near),
  );
}

function someOf<T>(pool: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...pool);
}

/** Calls at and around the constants of `filter`. */
export function callsOf(filter: Filter): fc.Arbitrary<SeccompData> {
  const known = filter.architectures.map(({ auditArchitecture }) => auditArchitecture);
  const calls = filter.architectures.flatMap(({ calls }) => calls);
  const constants = calls.flatMap(({ clauses }) =>
    clauses.flatMap(({ comparisons }) => comparisons.flatMap(({ value, mask }) => [...around(value), ...around(mask)])),
  );
  const edges = [
    ...calls.flatMap(({ number, clauses }) => Array<number>(clauses.length > 0 ? 8 : 1).fill(number)),
    ...calls.flatMap(({ number }) => [number - 1, number + 1]),
    ...filter.architectures.flatMap(({ ranges }) =>
      ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1]),
    ),
    0,
    0x3fffffff,
    0x40000000,
    0xffffffff,
  ].map((number) => number >>> 0);
  const argument = fc.oneof(
    { weight: 4, arbitrary: someOf([0n, 1n, 0xffffffffffffffffn, ...constants]) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }) },
  );
  return fc.record({
    number: fc.oneof({ weight: 8, arbitrary: someOf(edges) }, { weight: 1, arbitrary: fc.nat(0xffffffff) }),
    architecture: someOf([...known, ...known, ...known, 0x28, 0]),
    instructionPointer: fc.constant(0n),
    args: fc.tuple(argument, argument, argument, argument, argument, argument),
  });
}

/** A filter, and calls that probe it. */
export const filtersAndCalls: fc.Arbitrary<{ filter: Filter; calls: SeccompData[] }> = filters.chain((filter) =>
  fc.record({ filter: fc.constant(filter), calls: fc.array(callsOf(filter), { minLength: 60, maxLength: 60 }) }),
);

export function isBigEndian(architecture: number): boolean {
  return BIG_ENDIAN.has(architecture);
}
