/**
 * The component's border: numbers that do not fit, lists that are absurd, memory that was never allocated, filters and
 * programs made to exhaust something. Every one ends in a typed error, the memory stays below its limit, and a trap costs
 * no more than the instance.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeProgram } from "../../src/seccomp/bpf.ts";
import type { CompileOptions } from "../../src/seccomp/compilation.ts";
import { Compiler } from "../../src/seccomp/compiler.ts";
import type { CallRule, Clause, Comparison, Filter } from "../../src/seccomp/filter.ts";
import { builtCompiler, instantiateComponent, instantiateCore } from "../support/component.ts";
import { repository } from "../support/repository.ts";
import { ACTION, ARCHITECTURE, filters } from "../unit/seccomp/random-filters.ts";
import { hostilePrograms, programs } from "../unit/seccomp/random-programs.ts";

const ONES = 0xffffffffffffffffn;

const comparison = (changes: Partial<Record<keyof Comparison, unknown>> = {}): Comparison =>
  ({ index: 0, operator: "EQ", value: 1n, mask: ONES, ...changes }) as Comparison;

const clause = (comparisons: readonly Comparison[], action: number = ACTION.allow): Clause => ({ comparisons, action });

const call = (number: number, clauses: readonly Clause[], changes: object = {}): CallRule => ({
  number,
  argumentBits: 64,
  clauses,
  otherwise: ACTION.errno,
  ...changes,
});

const filterOf = (calls: readonly CallRule[], changes: object = {}): Filter => ({
  architectures: [
    {
      auditArchitecture: ARCHITECTURE.x86_64,
      bigEndian: false,
      calls,
      ranges: [],
      defaultAction: ACTION.errno,
      ...changes,
    },
  ],
  unknownArchitecture: ACTION.killThread,
});

const usual = filterOf([call(1, [clause([comparison()])])]);

/** What a use ends in: "ok", a TypeError's message, or a RuntimeError's code and message. */
function outcomeOf(use: () => unknown): string {
  try {
    use();
    return "ok";
  } catch (error) {
    assert.ok(error instanceof Error);
    const { code } = error as { readonly code?: string };
    return code === undefined ? `${error.name}: ${error.message}` : `${code}: ${error.message}`;
  }
}

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

test("a number that does not fit its type is refused, not wrapped", () => {
  const place = "at call 1 of architecture 0xc000003e";
  const cases: readonly (readonly [filter: Filter, outcome: string])[] = [
    [filterOf([call(1, [clause([comparison({ index: 258 })])])]), "TypeError: invalid u8 value [258]"],
    [filterOf([call(1, [clause([comparison({ value: 1n << 64n })])])]), `TypeError: invalid u64 value [${1n << 64n}]`],
    [filterOf([call(1, [clause([comparison({ mask: -1n })])])]), "TypeError: invalid u64 value [-1]"],
    [filterOf([call(1, [clause([], 2 ** 32)])]), "TypeError: invalid u32 value [4294967296]"],
    [filterOf([call(1, [clause([], 1.5)])]), "TypeError: invalid u32 value [1.5]"],
    [filterOf([call(-1, [])]), "TypeError: invalid u32 value [-1]"],
    [filterOf([call(Number.NaN, [])]), "TypeError: invalid u32 value [NaN]"],
    [filterOf([call(1, [clause([])], { argumentBits: 320 })]), "TypeError: invalid u8 value [320]"],
    [filterOf([call(1, [], { otherwise: undefined })]), "TypeError: invalid u32 value [undefined]"],
    [filterOf([], { auditArchitecture: 2 ** 40 }), `TypeError: invalid u32 value [${2 ** 40}]`],
    [
      filterOf([call(1, [clause([comparison({ index: 6 })])])]),
      `INVALID_PROFILE: Cannot compile the filter: argument index ${place}`,
    ],
    [
      filterOf([call(1, [clause([])], { argumentBits: 16 })]),
      `INVALID_PROFILE: Cannot compile the filter: argument bits ${place}`,
    ],
    [filterOf([call(1, []), call(1, [])]), `INVALID_PROFILE: Cannot compile the filter: unordered calls ${place}`],
    [
      filterOf([], { ranges: [{ first: 1, last: 0, action: 0 }] }),
      `INVALID_PROFILE: Cannot compile the filter: unordered ranges ${place}`,
    ],
  ];
  for (const [filter, outcome] of cases) {
    assert.equal(
      outcomeOf(() => builtCompiler.compile(filter)),
      outcome,
    );
    assert.equal(builtCompiler.compile(usual).proven, true, "the compiler goes on");
  }
  const [rules] = usual.architectures;
  assert.ok(rules !== undefined);
  const twice = { ...usual, architectures: [rules, rules] };
  assert.equal(
    outcomeOf(() => builtCompiler.compile(twice)),
    "INVALID_PROFILE: Cannot compile the filter: duplicate architecture at call 0 of architecture 0xc000003e",
  );
});

test("an operator or a kernel model that does not exist is refused", () => {
  assert.match(
    outcomeOf(() => builtCompiler.compile(filterOf([call(1, [clause([comparison({ operator: "IS" })])])]))),
    /^TypeError: .* is not one of the cases of comparison-operator$/,
  );
  assert.match(
    outcomeOf(() => builtCompiler.compile(usual, { kernel: "future" } as unknown as CompileOptions)),
    /^TypeError: "future" is not one of the cases of kernel-model$/,
  );
});

test("a weight that is no positive number is refused", () => {
  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(
      outcomeOf(() => builtCompiler.compile(usual, { weights: [{ architecture: 1, number: 2, weight }] })),
      `INVALID_ARGUMENT: Cannot compile with a weight of ${weight} for call 2: weights are positive numbers`,
    );
  }
});

/** Filters that are made to exhaust the stack, the memory, the time or the program. */
const excessive: Readonly<Record<string, Filter>> = {
  "a chain of masks": filterOf([
    call(
      1,
      times(8000, (i) => {
        const mask = 0xffn | (BigInt(i) << 8n);
        return clause([comparison({ index: i % 6, operator: "MASKED_EQ", value: BigInt(i & 0xff) & mask, mask })]);
      }),
    ),
  ]),
  "alternatives of one word": filterOf([
    call(
      1,
      times(16000, (i) => clause([comparison({ value: BigInt(i * 3) })])),
    ),
  ]),
  "a conjunction of many words": filterOf([
    call(1, [clause(times(9000, (i) => comparison({ index: i % 6, operator: "NE", value: BigInt(i) })))]),
  ]),
  "wide alternatives": filterOf([
    call(
      1,
      times(5000, (i) =>
        clause([
          comparison({ value: (BigInt(i) << 32n) | BigInt(i * 7) }),
          comparison({ index: 1, operator: "GT", value: BigInt(i) * 77777777777n }),
        ]),
      ),
    ),
  ]),
  "many checked calls": filterOf(
    times(2000, (number) =>
      call(number, [
        clause([
          comparison({ operator: "LT", value: BigInt(number) * 0x100000001n }),
          comparison({ index: 1, operator: "MASKED_EQ", value: 1n, mask: BigInt(number * 2 + 1) }),
        ]),
      ]),
    ),
  ),
  "every second number": filterOf(times(50_000, (i) => call(i * 2, [], { otherwise: ACTION.allow }))),
  "an action for each number": filterOf(times(20_000, (i) => call(i, [], { otherwise: i }))),
};

for (const [name, filter] of Object.entries(excessive))
  test(`too large a program is a typed error: ${name}`, () => {
    for (const verify of [false, true]) {
      assert.match(
        outcomeOf(() => builtCompiler.compile(filter, { verify })),
        /^INVALID_PROFILE: Cannot compile the filter: it needs at least \d+ instructions and the kernel takes 4096$/,
      );
    }
    assert.equal(builtCompiler.compile(usual).proven, true);
  });

test("too large a program names the calls whose checks cost most", () => {
  const checks = (count: number): Clause[] =>
    times(count, (i) => clause([comparison({ index: i % 5, operator: "MASKED_EQ", value: 5n, mask: BigInt(i) | 5n })]));
  const filter = filterOf([call(1, checks(50)), call(2, []), call(16, checks(3000)), call(41, checks(400))]);
  let thrown: unknown;
  try {
    builtCompiler.compile(filter);
  } catch (error) {
    thrown = error;
  }
  const { hint, details } = thrown as {
    hint: string;
    details: { costliest: { number: number; instructions: number }[] };
  };
  assert.deepEqual(
    details.costliest.map(({ number }) => number),
    [16, 41, 1],
  );
  const [ioctl, socket, first] = details.costliest.map(({ instructions }) => instructions);
  assert.equal(
    hint,
    `the longest argument checks are those of call 16 on 0xc000003e (${ioctl} instructions), ` +
      `call 41 on 0xc000003e (${socket} instructions), call 1 on 0xc000003e (${first} instructions)`,
  );
});

test("a filter of more rules or architectures than any kernel knows is refused", () => {
  const architectures = times(257, (auditArchitecture) => ({
    auditArchitecture,
    bigEndian: false,
    calls: [],
    ranges: [],
    defaultAction: 0,
  }));
  assert.equal(
    outcomeOf(() => builtCompiler.compile({ architectures, unknownArchitecture: 0 })),
    "INVALID_PROFILE: Cannot compile the filter: too many architectures at call 0 of architecture 0x0",
  );
  assert.equal(
    outcomeOf(() => builtCompiler.compile(filterOf(times(100_001, (i) => call(i, []))))),
    "INVALID_PROFILE: Cannot compile the filter: it has more than 100000 rules",
  );
});

test("an analysis is bounded in tables, ranges and bytes", () => {
  const program = builtCompiler.compile(usual).program;
  assert.equal(
    outcomeOf(() => builtCompiler.analyse(program, times(65, Number))),
    "INVALID_ARGUMENT: Cannot analyse the BPF program for more than 64 architectures at once",
  );
  assert.equal(builtCompiler.analyse(program, times(64, Number)).length, 64);
  // 2³¹ ranges: the lowest bit of the number.
  const parity = encodeProgram([
    { code: 0x20, jumpTrue: 0, jumpFalse: 0, k: 0 },
    { code: 0x45, jumpTrue: 0, jumpFalse: 1, k: 1 },
    { code: 0x06, jumpTrue: 0, jumpFalse: 0, k: 0 },
    { code: 0x06, jumpTrue: 0, jumpFalse: 0, k: 1 },
  ]);
  assert.equal(
    outcomeOf(() => builtCompiler.analyse(parity, [0])),
    "INVALID_DOCUMENT: Cannot analyse the BPF program: it tells too many cases apart",
  );
  const long = new Uint8Array(64 << 20);
  for (const use of [
    () => builtCompiler.analyse(long, [0]),
    () => builtCompiler.prove(usual, long),
    () => builtCompiler.disassemble(long),
    () => builtCompiler.simulate(long, new Uint8Array(64)),
  ]) {
    assert.equal(outcomeOf(use), "INVALID_DOCUMENT: Cannot use the BPF program: instruction 0 is invalid (length)");
  }
});

test("a trap costs the instance, not the compiler", () => {
  let made = 0;
  const compiler = new Compiler(() => {
    made += 1;
    return instantiateComponent();
  });
  const weights = times(1_500_000, (number) => ({ architecture: 1, number, weight: 1 }));
  // More than the component's allocator serves, which the canonical ABI answers with a trap.
  assert.match(
    outcomeOf(() => compiler.compile(usual, { weights })),
    /^RuntimeError: .*unreachable/,
  );
  assert.equal(made, 1);
  const { program } = compiler.compile(usual);
  assert.equal(made, 2);
  assert.deepEqual(program, builtCompiler.compile(usual).program);
  // A typed error costs nothing.
  assert.match(
    outcomeOf(() => compiler.disassemble(new Uint8Array(8))),
    /no-return/,
  );
  compiler.compile(usual);
  assert.equal(made, 2);
});

const LIMIT = 64 << 20;

type Export = (...parameters: number[]) => number;

/** The core module as a host that lowers by hand sees it. */
function makeCore(): {
  readonly functions: Readonly<Record<string, Export>>;
  readonly memory: { buffer: ArrayBuffer };
} {
  const { exports } = instantiateCore(readFileSync(`${repository}/dist/component/seccomp.core.wasm`));
  const { memory, ...functions } = exports;
  return { functions: functions as Record<string, Export>, memory: memory as { buffer: ArrayBuffer } };
}

test("pointers outside of what was allocated are a typed error, whatever they point to", () => {
  const core = makeCore();
  const names = Object.keys(core.functions).filter((name) => name.includes("#") && !name.startsWith("cabi_post_"));
  assert.equal(names.length, 5);
  const pointer = fc.oneof(fc.nat(0xffffffff), fc.nat(1 << 16), fc.constantFrom(0, 8, 0xfffffff8));
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.array(pointer, { minLength: 9, maxLength: 9 }),
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc.boolean(),
      (name, parameters, bytes, inside) => {
        const use = core.functions[name];
        const release = core.functions[`cabi_post_${name}`];
        assert.ok(use !== undefined && release !== undefined);
        const allocated = core.functions["cabi_realloc"]?.(0, 0, 8, bytes.length) ?? 0;
        new Uint8Array(core.memory.buffer).set(bytes, allocated);
        // Either anywhere, or within the random bytes.
        const [first = 0, second = 0, ...rest] = parameters;
        const chosen = inside ? [allocated, second % 40, ...rest] : [first, Math.max(second, 1), ...rest];
        const result = use(...chosen.slice(0, use.length));
        if (!inside) assert.equal(new Uint8Array(core.memory.buffer)[result], 1, "an error is reported");
        release(result);
        assert.ok(core.memory.buffer.byteLength <= LIMIT);
      },
    ),
    { numRuns: 3000 },
  );
});

test("allocations beyond the limit trap, as the ABI has it, and only those", () => {
  const allocate = makeCore().functions["cabi_realloc"];
  assert.ok(allocate !== undefined);
  assert.equal(allocate(0, 0, 8, 0), 8, "an empty list gets an aligned pointer");
  assert.notEqual(allocate(0, 0, 8, 16 << 20), 0);
  assert.throws(() => allocate(0, 0, 8, (16 << 20) + 1), { name: "RuntimeError" });
});

test("random programs and filters never trap, however little the budget", () => {
  const component = instantiateComponent();
  const isTyped = (error: unknown): boolean => !(error instanceof Error);
  const settle = (use: () => unknown): void => {
    try {
      use();
    } catch (error) {
      assert.ok(isTyped(error), String(error));
    }
  };
  const program = fc.oneof(
    programs.map((instructions) => encodeProgram(instructions)),
    hostilePrograms,
  );
  const witFilter = { architectures: [], unknownArchitecture: 0 };
  const budget = fc.oneof(fc.nat(300), fc.nat(20_000), fc.constant(0xffffffff));
  fc.assert(
    fc.property(program, budget, fc.uint8Array({ maxLength: 200 }), (bytes, nodes, data) => {
      settle(() => component.prover.prove(bytes, witFilter, nodes));
      settle(() => component.analyser.analyse(bytes, [{ architecture: 0, size: nodes }], nodes));
      settle(() => component.simulator.simulate(bytes, data));
      settle(() => component.disassembler.disassemble(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("proofs of programs for other filters are decided or typed errors", () => {
  fc.assert(
    fc.property(filters, programs, (filter, instructions) => {
      const { verdict } = builtCompiler.prove(filter, encodeProgram(instructions));
      assert.ok(["proven", "refuted", "undecided"].includes(verdict));
    }),
    { numRuns: 300 },
  );
});
