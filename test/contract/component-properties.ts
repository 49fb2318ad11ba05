/**
 * What must hold for any correct compiler component, as properties: the contract tests check them on the built one, the
 * mutation tests expect a broken one to fail them.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeProgram } from "../../src/seccomp/bpf.ts";
import type { CallWeight, CompileOptions, NumberOutcome } from "../../src/seccomp/compilation.ts";
import { REWRITES } from "../../src/seccomp/compilation.ts";
import type { Compiler } from "../../src/seccomp/compiler.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { Filter, SeccompData } from "../../src/seccomp/filter.ts";
import { DATA_WORDS, prepareProgram, simulate, writeData } from "../../src/seccomp/simulate.ts";
import { calls, programs, usualPrograms } from "../unit/seccomp/random-programs.ts";
import { filtersAndCalls, isBigEndian } from "../unit/seccomp/random-filters.ts";

function weightsOf(filter: Filter, seed: readonly number[]): CallWeight[] {
  return filter.architectures
    .flatMap(({ auditArchitecture, calls }) =>
      calls.map(({ number }, index) => ({
        architecture: auditArchitecture,
        number,
        weight: seed[index % seed.length] ?? 1,
      })),
    )
    .sort((a, b) => a.architecture - b.architecture || a.number - b.number);
}

const options = fc.record({
  seed: fc.option(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 5 })),
  kernel: fc.constantFrom("bitmap" as const, "interpreter" as const),
  without: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray([...REWRITES]) }),
});

/** A compiled program answers as the filter means it, whatever the options, and is proved to. */
export function compiledProgramsAreRight(compiler: Compiler, runs: number, verify = true): void {
  fc.assert(
    fc.property(filtersAndCalls, options, ({ filter, calls }, { seed, kernel, without }) => {
      const chosen: CompileOptions = {
        kernel,
        without,
        verify,
        ...(seed === null ? {} : { weights: weightsOf(filter, seed) }),
      };
      const { program, proven, measure, instructionCount } = compiler.compile(filter, chosen);
      assert.equal(proven, verify);
      const prepared = prepareProgram(program);
      assert.equal(prepared.instructions.length, instructionCount);
      for (const call of calls) {
        const { action, executed } = simulate(prepared, call, isBigEndian(call.architecture));
        assert.equal(action, evaluate(filter, call));
        assert.ok(executed <= measure.worst, `${executed} instructions, at most ${measure.worst} were promised`);
      }
    }),
    { numRuns: runs },
  );
}

/** Packed `struct seccomp_data`, words little-endian. */
export function packCalls(list: readonly SeccompData[]): Uint8Array {
  const words = new Uint32Array(DATA_WORDS);
  const bytes = new DataView(new ArrayBuffer(list.length * DATA_WORDS * 4));
  for (const [index, call] of list.entries()) {
    writeData(words, call, false);
    for (const [word, value] of words.entries()) bytes.setUint32((index * DATA_WORDS + word) * 4, value, true);
  }
  return new Uint8Array(bytes.buffer);
}

/** The component's interpreter agrees with the TypeScript one. */
export function interpretersAgree(compiler: Compiler, runs: number): void {
  fc.assert(
    fc.property(programs, fc.array(calls, { minLength: 12, maxLength: 12 }), (program, list) => {
      const bytes = encodeProgram(program);
      const prepared = prepareProgram(bytes);
      assert.deepEqual(
        compiler.simulate(bytes, packCalls(list)),
        list.map((call) => simulate(prepared, call)),
      );
    }),
    { numRuns: runs },
  );
}

/**
 * A program that was changed at one instruction is proven only if it still answers every call alike. `Compiler.prove`
 * itself checks a counter-example against the reference and the interpreter.
 */
export function proofsAgreeWithProbes(compiler: Compiler, runs: number): { readonly refuted: number } {
  let refuted = 0;
  const change = fc.record({ at: fc.nat(4096), field: fc.constantFrom("k", "jumpTrue", "jumpFalse"), by: fc.nat(300) });
  fc.assert(
    fc.property(filtersAndCalls, change, ({ filter, calls }, { at, field, by }) => {
      const program = [...prepareProgram(compiler.compile(filter, { verify: false }).program).instructions];
      const index = at % program.length;
      const changed = program[index];
      assert.ok(changed !== undefined);
      const value = field === "k" ? (changed.k ^ (1 << (by % 32))) >>> 0 : (changed[field] + by) & 0xff;
      program[index] = { ...changed, [field]: value };
      const bytes = encodeProgram(program);
      let prepared: ReturnType<typeof prepareProgram>;
      try {
        prepared = prepareProgram(bytes);
      } catch (error) {
        assert.throws(() => compiler.prove(filter, bytes), { message: /is invalid/, code: "INVALID_DOCUMENT" });
        assert.equal((error as { code?: string }).code, "INVALID_DOCUMENT");
        return;
      }
      const differs = calls.some(
        (call) => simulate(prepared, call, isBigEndian(call.architecture)).action !== evaluate(filter, call),
      );
      const { verdict } = compiler.prove(filter, bytes);
      if (differs) assert.equal(verdict, "refuted");
      if (verdict === "refuted") refuted += 1;
      assert.notEqual(verdict, "undecided");
    }),
    { numRuns: runs },
  );
  return { refuted };
}

/** A program is what the filter of its own analysis means, number by number, as far as arguments do not matter. */
export function analysesAgree(compiler: Compiler, runs: number): { readonly analysed: number } {
  let count = 0;
  fc.assert(
    fc.property(usualPrograms, fc.array(calls, { minLength: 20, maxLength: 20 }), (program, list) => {
      const bytes = encodeProgram(program);
      const prepared = prepareProgram(bytes);
      const architectures = [...new Set(list.map(({ architecture }) => architecture))];
      let analysed: ReadonlyMap<number, readonly NumberOutcome[]>;
      try {
        analysed = new Map(
          compiler.analyse(bytes, architectures, 64).map((entry) => [entry.architecture, entry.outcomes]),
        );
        count += 1;
      } catch (error) {
        // Tests of low bits of the number make millions of ranges.
        assert.equal((error as Error).message, "Cannot analyse the BPF program: it tells too many cases apart");
        return;
      }
      for (const call of list) {
        for (const number of [call.number, call.number % 64]) {
          const outcome = analysed.get(call.architecture)?.find(({ first, last }) => first <= number && number <= last);
          assert.ok(outcome !== undefined, "the outcomes cover every number");
          const { action } = simulate(prepared, { ...call, number });
          assert.ok(outcome.actions.includes(action), `${action} is none of ${outcome.actions.join()}`);
        }
      }
    }),
    { numRuns: runs },
  );
  return { analysed: count };
}
