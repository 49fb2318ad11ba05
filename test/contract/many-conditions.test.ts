/** Hundreds of conditions on one call: compiled as long as the kernel takes the program, refused by name beyond. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileNamed } from "../../src/engine/seccomp/compile-named.ts";
import { parseRules } from "../../src/profile/parse-rules.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { Filter } from "../../src/seccomp/filter.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";

/** Each with two arguments and an action of its own. */
function conditions(count: number): Filter {
  const rules = Array.from({ length: count }, (_, index) => ({
    call: "ioctl",
    action: `errno(${index + 1})`,
    when: [
      { argument: 1, op: "==", value: index * 3 },
      { argument: 2, op: "==", value: index * 7 },
    ],
  }));
  return parseRules({ architectures: ["x86_64"], default: "allow", rules }, "x86_64").filter;
}

test("three hundred conditions on two arguments are one program", () => {
  const filter = conditions(300);
  const program = prepareProgram(compileNamed(filter).program);
  assert.ok(program.instructions.length <= 4096);
  for (let index = 0; index < 300; index++)
    for (const [first, second] of [
      [index * 3, index * 7],
      [index * 3, index * 7 + 1],
      [index * 3 + 1, index * 7],
    ] as const) {
      const call = {
        number: 16,
        architecture: 0xc000003e,
        instructionPointer: 0n,
        args: [0n, BigInt(first), BigInt(second), 0n, 0n, 0n],
      } as const;
      assert.equal(simulate(program, call).action, evaluate(filter, call), `${first} ${second}`);
    }
});

test("a thousand are more than the kernel takes", () => {
  assert.throws(() => compileNamed(conditions(1000)), {
    name: "RuntimeError",
    code: "INVALID_PROFILE",
    message: /^Cannot compile the filter: it needs at least \d+ instructions and the kernel takes 4096$/,
    hint: /^shorten the rules of the calls that cost most: ioctl of x86_64 \(\d+ instructions\)$/,
  });
});
