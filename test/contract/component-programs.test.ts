/** The component against the reference meaning and against its TypeScript twins, on random filters, programs and calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { assemble } from "../../src/seccomp/assemble.ts";
import { CODE, encodeProgram, findFlaw, decodeProgram } from "../../src/seccomp/bpf.ts";
import { builtCompiler } from "../support/component.ts";
import { hostilePrograms, programs } from "../unit/seccomp/random-programs.ts";
import {
  analysesAgree,
  compiledProgramsAreRight,
  interpretersAgree,
  packCalls,
  proofsAgreeWithProbes,
} from "./component-properties.ts";

test("the compiled program answers every call as the filter means it, and is proved to", () => {
  compiledProgramsAreRight(builtCompiler, 1000);
});

test("the component's interpreter agrees with the TypeScript one", () => {
  interpretersAgree(builtCompiler, 1000);
});

test("a proof agrees with probing calls, on programs that are broken somewhere", () => {
  const { refuted } = proofsAgreeWithProbes(builtCompiler, 1000);
  assert.ok(refuted > 300, `only ${refuted} changed programs were wrong`);
});

test("the analysis lists the outcome of every call", () => {
  const { analysed } = analysesAgree(builtCompiler, 500);
  assert.ok(analysed > 400, `only ${analysed} programs could be analysed`);
});

test("disassembling and assembling is the identity", () => {
  fc.assert(
    fc.property(programs, (program) => {
      const bytes = encodeProgram(program);
      assert.deepEqual(assemble(builtCompiler.disassemble(bytes).join("\n")), bytes);
    }),
    { numRuns: 1000 },
  );
});

test("the component and the TypeScript check refuse the same programs for the same reason", () => {
  const flawOf = (use: () => unknown): unknown => {
    try {
      use();
      return null;
    } catch (error) {
      return (error as { details?: unknown }).details;
    }
  };
  fc.assert(
    fc.property(hostilePrograms, (bytes) => {
      const flaw = bytes.length % 8 === 0 ? findFlaw(decodeProgram(bytes)) : { reason: "length", instruction: 0 };
      assert.deepEqual(
        flawOf(() => builtCompiler.disassemble(bytes)),
        flaw,
      );
      assert.deepEqual(
        flawOf(() => builtCompiler.simulate(bytes, new Uint8Array(64))),
        flaw,
      );
    }),
    { numRuns: 2000 },
  );
});

test("a simulation is as long as the calls, however many", () => {
  const program = encodeProgram([
    { code: CODE.LD_ABS, jumpTrue: 0, jumpFalse: 0, k: 0 },
    { code: CODE.RET_A, jumpTrue: 0, jumpFalse: 0, k: 0 },
  ]);
  const count = 40_000;
  const list = Array.from({ length: count }, (_, number) => ({
    number,
    architecture: 0,
    instructionPointer: 0n,
    args: [0n, 0n, 0n, 0n, 0n, 0n] as const,
  }));
  const executions = builtCompiler.simulate(program, packCalls(list));
  assert.equal(executions.length, count);
  assert.ok(executions.every(({ action, executed }, number) => action === number && executed === 2));
  assert.deepEqual(builtCompiler.simulate(program, new Uint8Array(63)), []);
});
