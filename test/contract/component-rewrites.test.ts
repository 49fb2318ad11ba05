/** Each named rewrite on a filter that shows what it is for: the program with it beside the one without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CompileOptions, type Rewrite, REWRITES } from "../../src/seccomp/compilation.ts";
import { costModel, formatCostModel } from "../../src/seccomp/cost-model.ts";
import type { CallRule, Clause, Comparison, ComparisonOperator, Filter } from "../../src/seccomp/filter.ts";
import { builtCompiler } from "../support/component.ts";
import { ACTION, ARCHITECTURE } from "../unit/seccomp/random-filters.ts";

const ONES = 0xffffffffffffffffn;

const is = (index: number, value: bigint, operator: ComparisonOperator = "EQ"): Comparison => ({
  index,
  operator,
  value,
  mask: ONES,
});

const when = (action: number, ...comparisons: Comparison[]): Clause => ({ comparisons, action });

const constant = (number: number, otherwise: number): CallRule => ({
  number,
  argumentBits: 64,
  clauses: [],
  otherwise,
});

const checked = (number: number, clauses: readonly Clause[], argumentBits: 32 | 64 = 64): CallRule => ({
  number,
  argumentBits,
  clauses,
  otherwise: ACTION.errno,
});

const filterOf = (...calls: CallRule[]): Filter => ({
  architectures: [
    {
      auditArchitecture: ARCHITECTURE.x86_64,
      bigEndian: false,
      calls: calls.toSorted((a, b) => a.number - b.number),
      ranges: [],
      defaultAction: ACTION.errno,
    },
  ],
  unknownArchitecture: ACTION.killThread,
});

function both(filter: Filter, rewrite: Rewrite, options: CompileOptions = {}): [applied: string[], left: string[]] {
  const text = (without: readonly Rewrite[]): string[] => {
    const { program, proven } = builtCompiler.compile(filter, { verify: true, ...options, without });
    assert.equal(proven, true);
    return builtCompiler.disassemble(program).map((line) => line.slice(5));
  };
  return [text([]), text([rewrite])];
}

const loads = (program: readonly string[], offset: number): number =>
  program.filter((line) => line === `ld [${offset}]`).length;

test("orderComparisons: what several clauses ask first is asked once", () => {
  const filter = filterOf(
    checked(
      1,
      [
        when(ACTION.allow, is(1, 7n), is(0, 3n)),
        when(ACTION.log, is(2, 8n), is(0, 3n)),
        when(ACTION.trap, is(0, 3n), is(3, 9n)),
      ],
      32,
    ),
  );
  const [applied, left] = both(filter, "orderComparisons");
  assert.equal(loads(applied, 16), 1);
  assert.equal(loads(left, 16), 3);
});

test("dropSettled: a test that the one before has settled is dropped", () => {
  const filter = filterOf(
    checked(1, [
      when(ACTION.allow, is(0, 10n, "GE")),
      when(ACTION.log, is(0, 11n, "GE")),
      when(ACTION.trap, is(0, 12n)),
    ]),
  );
  const [applied, left] = both(filter, "dropSettled");
  assert.ok(!applied.join().includes("#0xb"), "11 or more was 10 or more");
  assert.ok(left.join().includes("#0xb"));
  assert.ok(applied.length < left.length);
});

test("lowHalvesFirst: unequal arguments differ in their low halves", () => {
  const filter = filterOf(checked(1, [when(ACTION.allow, is(0, 3n))]));
  const [applied, left] = both(filter, "lowHalvesFirst");
  const order = (program: readonly string[]): string[] => program.filter((line) => /^ld \[(16|20)\]$/.test(line));
  assert.deepEqual(order(applied), ["ld [16]", "ld [20]"]);
  assert.deepEqual(order(left), ["ld [20]", "ld [16]"]);
  assert.equal(applied.length, left.length);
});

test("searchConstants: many constants of one word are searched, not tried in turn", () => {
  const clauses = Array.from({ length: 32 }, (_, i) => when(ACTION.allow, is(0, BigInt(i * 10 + 1))));
  const filter = filterOf(checked(1, clauses, 32));
  const worst = (without: readonly Rewrite[]): number => builtCompiler.compile(filter, { without }).measure.worst;
  assert.equal(worst(["searchConstants"]), 38, "32 tests in a row, and six instructions around them");
  assert.ok(worst([]) <= 14, `${worst([])} instructions`);
});

test("separateX32: one test parts x32 numbers from the native ones", () => {
  const native = Array.from({ length: 200 }, (_, i) => constant(i, i % 4 === 0 ? ACTION.errno : ACTION.allow));
  const x32 = Array.from({ length: 200 }, (_, i) => constant(0x40000000 + i, i % 3 ? ACTION.trap : ACTION.log));
  const filter = filterOf(...native, ...x32);
  const [applied, left] = both(filter, "separateX32");
  const partings = (program: readonly string[]): number =>
    program.filter((line) => line.startsWith("jge #0x40000000 ")).length;
  assert.equal(partings(applied), 1);
  assert.notDeepEqual(applied, left);
  const weighted = (without: readonly Rewrite[]): number => builtCompiler.compile(filter, { without }).measure.weighted;
  assert.ok(weighted([]) < weighted(["separateX32"]), "native calls come first");
});

test("favourDeep: a long check comes up early", () => {
  const checks = Array.from({ length: 6 }, (_, i) => is(i, BigInt(i) * 0x100000001n, "GE"));
  const calls = Array.from({ length: 128 }, (_, i) => constant(i, i % 2 ? ACTION.allow : ACTION.trap));
  calls[64] = checked(64, [when(ACTION.allow, ...checks)]);
  const weights = Array.from({ length: 128 }, (_, number) => ({
    architecture: ARCHITECTURE.x86_64,
    number,
    weight: number === 64 ? 1 : 1000,
  }));
  const worst = (without: readonly Rewrite[]): number =>
    builtCompiler.compile(filterOf(...calls), { weights, kernel: "interpreter", without }).measure.worst;
  assert.ok(worst([]) < worst(["favourDeep"]), `${worst([])} against ${worst(["favourDeep"])}`);
});

test("numberLists: a lone number costs one test, where a tree needs two", () => {
  const filter = filterOf(constant(10, ACTION.allow), constant(20, ACTION.allow), constant(30, ACTION.allow));
  const [applied, left] = both(filter, "numberLists");
  assert.equal(applied.filter((line) => line.startsWith("jeq")).length, 4, "one for the architecture");
  assert.equal(applied.filter((line) => line.startsWith("jge")).length, 1);
  assert.equal(left.filter((line) => line.startsWith("jge")).length, 6);
});

test("hotNumbers: the number that is called most of all is asked for first", () => {
  const calls = Array.from({ length: 64 }, (_, i) => constant(i, i % 2 ? ACTION.allow : ACTION.trap));
  const weights = [{ architecture: ARCHITECTURE.x86_64, number: 31, weight: 1 }];
  const [applied, left] = both(filterOf(...calls), "hotNumbers", { weights, kernel: "interpreter" });
  const firstTest = (program: readonly string[]): string => (program[3] ?? "").replace(/ \d{4} \d{4}$/, "");
  assert.equal(firstTest(applied), "jeq #0x1f");
  assert.equal(firstTest(left), "jge #0x20");
});

test("repeatTests: two loads that lead to one test need no jump", () => {
  const filter = filterOf(
    checked(1, [when(ACTION.allow, is(0, 3n))]),
    checked(5, [when(ACTION.allow, is(1, 3n))]),
    checked(9, [when(ACTION.allow, is(2, 3n))]),
  );
  const [applied, left] = both(filter, "repeatTests");
  assert.equal(applied.filter((line) => line.startsWith("ja")).length, 0);
  assert.ok(left.filter((line) => line.startsWith("ja")).length > 0);
  assert.equal(applied.length, left.length);
});

test("distant returns are repeated, distant tests are jumped to", () => {
  const calls = Array.from({ length: 700 }, (_, i) => constant(i, ACTION.trap + (i % 300)));
  const { program, proven, instructionCount } = builtCompiler.compile(filterOf(...calls), { verify: true });
  const text = builtCompiler.disassemble(program);
  assert.equal(proven, true);
  assert.ok(text.some((line) => / ja /.test(line)));
  const returns = text.filter((line) => / ret /.test(line)).map((line) => line.slice(5));
  assert.ok(returns.length > new Set(returns).size, "some return stands twice");
  assert.ok(instructionCount < 2000);
});

test("the bitmap kernel model leaves constant ALLOW out of the weights", () => {
  const filter = filterOf(
    ...Array.from({ length: 64 }, (_, i) => constant(i, i % 2 ? ACTION.allow : ACTION.trap)),
    checked(70, [when(ACTION.allow, is(0, 3n))]),
  );
  const weights = [
    { architecture: ARCHITECTURE.x86_64, number: 31, weight: 999_999 },
    { architecture: ARCHITECTURE.x86_64, number: 70, weight: 1 },
  ];
  const executed = (kernel: "bitmap" | "interpreter"): number =>
    builtCompiler.compile(filter, { weights, kernel }).measure.weighted;
  assert.ok(executed("interpreter") < 6.1, "nearly all calls are number 31, five instructions and its return");
  assert.ok(
    executed("bitmap") > 9,
    "they cost nothing where the bitmap answers them, and are searched for like others",
  );
});

test("the cost model names every rewrite, and what the kernel makes of the program", () => {
  const filter = filterOf(
    constant(0, ACTION.allow),
    constant(1, ACTION.allow),
    constant(3, ACTION.allow),
    checked(5, [when(ACTION.allow, is(0, 3n))]),
  );
  const lines = formatCostModel(costModel(builtCompiler, filter));
  assert.deepEqual(lines.map((line) => line.slice(0, 28).trim()).slice(1, -3), [
    "all rewrites",
    ...REWRITES.map((rewrite) => `without ${rewrite}`),
  ]);
  const { program, instructionCount, measure } = builtCompiler.compile(filter);
  const [row = ""] = lines.slice(1);
  assert.deepEqual(row.split(/\s{2,}/), [
    "all rewrites",
    String(instructionCount),
    measure.weighted.toFixed(2),
    measure.uniform.toFixed(2),
    String(measure.worst),
  ]);
  const [outcomes] = builtCompiler.analyse(program, [ARCHITECTURE.x86_64]);
  assert.deepEqual(lines.slice(-3), [
    `0xc000003e: attaching emulates ${outcomes?.attachInstructions} instructions`,
    "  free: 0-1 3",
    "  run the filter: 2 4 5 6-",
  ]);
});
