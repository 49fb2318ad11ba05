import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import { filtersAndCalls, isBigEndian } from "../unit/seccomp/random-filters.ts";

test("the compiled program answers every call as the filter means it", () => {
  fc.assert(
    fc.property(filtersAndCalls, ({ filter, calls }) => {
      const program = prepareProgram(compileFilter(filter).program);
      for (const call of calls) {
        const { action } = simulate(program, call, isBigEndian(call.architecture));
        assert.equal(action, evaluate(filter, call));
      }
    }),
    { numRuns: 1000 },
  );
});
