/** The reference meaning, against numbers worked out by hand: everything else is measured against it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../../src/seccomp/evaluate.ts";
import type { CallRule, Clause, ComparisonOperator, Filter, SeccompData } from "../../../src/seccomp/filter.ts";
import { ACTION, ARCHITECTURE } from "./random-filters.ts";

const ONES = 0xffffffffffffffffn;

function filterOf(calls: readonly CallRule[]): Filter {
  return {
    architectures: [
      {
        auditArchitecture: ARCHITECTURE.x86_64,
        bigEndian: false,
        calls,
        ranges: [{ first: 3, last: 9, action: ACTION.enosys }],
        defaultAction: ACTION.errno,
      },
    ],
    unknownArchitecture: ACTION.killThread,
  };
}

function callOf(number: number, first: bigint, architecture: number = ARCHITECTURE.x86_64): SeccompData {
  return { number, architecture, instructionPointer: 0n, args: [first, 0n, 0n, 0n, 0n, 0n] };
}

const comparing = (operator: ComparisonOperator, value: bigint, mask = ONES): Clause => ({
  comparisons: [{ index: 0, operator, value, mask }],
  action: ACTION.allow,
});

const rule = (clauses: readonly Clause[], argumentBits: 32 | 64 = 64): CallRule => ({
  number: 5,
  argumentBits,
  clauses,
  otherwise: ACTION.errno,
});

const holds = (clause: Clause, argument: bigint, argumentBits: 32 | 64 = 64): boolean =>
  evaluate(filterOf([rule([clause], argumentBits)]), callOf(5, argument)) === ACTION.allow;

test("operators compare unsigned 64-bit numbers", () => {
  const below = 0x4ffffffffn;
  const at = 0x500000000n;
  const above = 0x500000001n;
  const expectation: Readonly<Record<Exclude<ComparisonOperator, "MASKED_EQ">, readonly boolean[]>> = {
    NE: [true, false, true],
    LT: [true, false, false],
    LE: [true, true, false],
    EQ: [false, true, false],
    GE: [false, true, true],
    GT: [false, false, true],
  };
  for (const [operator, outcomes] of Object.entries(expectation)) {
    const clause = comparing(operator as ComparisonOperator, at);
    assert.deepEqual(
      [below, at, above].map((argument) => holds(clause, argument)),
      outcomes,
      operator,
    );
  }
  assert.equal(holds(comparing("EQ", 0xffffffffn), ONES), false, "a sign-extended -1 is not 0xffffffff");
});

test("MASKED_EQ compares the masked argument with the datum as it is", () => {
  assert.equal(holds(comparing("MASKED_EQ", 1n, 0xfn), 0x21n), true);
  assert.equal(holds(comparing("MASKED_EQ", 0x11n, 0xfn), 0x21n), false, "the datum is not masked");
  assert.equal(holds(comparing("MASKED_EQ", 0n, 0n), ONES), true);
});

test("32-bit architectures compare low halves", () => {
  assert.equal(holds(comparing("EQ", 7n), 0x900000007n, 32), true);
  assert.equal(holds(comparing("EQ", 0x300000007n), 7n, 32), true);
  assert.equal(holds(comparing("EQ", 7n), 0x900000007n, 64), false);
});

test("the first clause that holds decides, then what the call has otherwise", () => {
  const first: Clause = { ...comparing("GE", 10n), action: ACTION.trap };
  const second: Clause = { ...comparing("GE", 5n), action: ACTION.log };
  const filter = filterOf([rule([first, second])]);
  assert.deepEqual(
    [10n, 5n, 4n].map((argument) => evaluate(filter, callOf(5, argument))),
    [ACTION.trap, ACTION.log, ACTION.errno],
  );
});

test("a clause without comparisons holds", () => {
  const filter = filterOf([rule([{ comparisons: [], action: ACTION.log }, comparing("EQ", 1n)])]);
  assert.equal(evaluate(filter, callOf(5, 1n)), ACTION.log);
});

test("a call rule wins over its range, the range over the default, the default over nothing", () => {
  const filter = filterOf([rule([])]);
  assert.equal(evaluate(filter, callOf(5, 0n)), ACTION.errno);
  assert.equal(evaluate(filter, callOf(4, 0n)), ACTION.enosys);
  assert.equal(evaluate(filter, callOf(10, 0n)), ACTION.errno);
  assert.equal(evaluate(filter, callOf(5, 0n, ARCHITECTURE.aarch64)), ACTION.killThread);
});
