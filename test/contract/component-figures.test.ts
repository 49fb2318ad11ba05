/**
 * How good the compiled programs are, as hard bounds: on `default`, on a list full of comparisons and on
 * well-known profiles where they are found, none may be larger, slower on the mix of calls, or longer on its longest path than
 * the best of the peers. What takes time is measured by `npm run bench:seccomp`.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { type Figures, figuresOf } from "../../bench/seccomp/figures.ts";
import { peers } from "../../bench/seccomp/peers.ts";
import { defaultSubject, dockersDecisions, type Subject, subjects, vcpuThread } from "../../bench/seccomp/subjects.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import type { CompileOptions, NumberOutcome } from "../../src/seccomp/compilation.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import { prepareProgram } from "../../src/seccomp/simulate.ts";
import { compileOci, differentialTest } from "../differential/libseccomp.ts";
import { builtCompiler } from "../support/component.ts";
import { repository } from "../support/repository.ts";
import { ACTION } from "../unit/seccomp/random-filters.ts";

/** Every call by its frequency, as for a kernel that runs the filter for each. */
const byTheMix = ({ weights }: Subject): CompileOptions => ({ weights, kernel: "interpreter", verify: true });

function measure(subject: Subject, options: CompileOptions): Figures {
  const { program, proven } = builtCompiler.compile(subject.filter, options);
  assert.equal(proven, true);
  return figuresOf(subject, prepareProgram(program));
}

const atMost = (actual: number, limit: number, what: string): void =>
  assert.ok(actual <= limit, `${what}: ${actual}, and the bound is ${limit}`);

test("what Docker's default profile decides, for x86_64, x86 and x32", () => {
  const uniform = measure(dockersDecisions, { verify: true });
  atMost(uniform.instructions, 260, "instructions");
  atMost(uniform.uniform, 9.2, "executed, uniform");
  atMost(uniform.worst, 20, "longest path");
  const mix = measure(dockersDecisions, byTheMix(dockersDecisions));
  atMost(mix.instructions, 260, "instructions by the mix");
  atMost(mix.mix, 6.3, "executed on the mix");
  atMost(mix.uniform, 10.5, "executed, uniform, by the mix");
  atMost(mix.worst, 20, "longest path by the mix");
});

for (const [subject, bounds] of [
  [defaultSubject, { instructions: 260, uniform: 10.4, mix: 6.31, worst: 20 }],
  [vcpuThread, { instructions: 224, uniform: 11.1, mix: 8.8, worst: 20 }],
] as const)
  test(`${subject.name}, weighted by the mix, stays as good as it is`, () => {
    const ours = measure(subject, byTheMix(subject));
    for (const key of ["instructions", "uniform", "mix", "worst"] as const) atMost(ours[key], bounds[key], key);
  });

for (const subject of subjects)
  differentialTest(`${subject.name}: as good as the best of the peers in size, mix and longest path`, [], () => {
    const ours = measure(subject, byTheMix(subject));
    const theirs: readonly Partial<Figures>[] = [
      figuresOf(subject, compileOci(subject.oci, 1).program),
      figuresOf(subject, compileOci(subject.oci, 2).program),
      ...(peers.get(subject) ?? []),
    ];
    for (const key of ["instructions", "mix", "worst"] as const) {
      const best = Math.min(...theirs.map((figures) => figures[key] ?? Number.POSITIVE_INFINITY));
      atMost(ours[key], best, key);
    }
  });

test("every call with a constant ALLOW is in the kernel's bitmap, and attaching is cheap", () => {
  for (const subject of subjects) {
    const { filter, architecture } = subject;
    const { program } = builtCompiler.compile(filter, { verify: true });
    const [analysed] = builtCompiler.analyse(program, [architecture.auditArchitecture]);
    assert.ok(analysed !== undefined);
    const rules = filter.architectures.find(
      ({ auditArchitecture }) => auditArchitecture === architecture.auditArchitecture,
    );
    let free = 0;
    for (const number of syscallTable(architecture.name).names.keys()) {
      const checks = rules?.calls.some((call) => call.number === number && call.clauses.length > 0) ?? false;
      const data = {
        number,
        architecture: architecture.auditArchitecture,
        instructionPointer: 0n,
        args: [0n, 0n, 0n, 0n, 0n, 0n] as const,
      };
      const allowed = evaluate(filter, data) === ACTION.allow && !checks;
      const outcome: NumberOutcome | undefined = analysed.outcomes.find(
        ({ first, last }) => first <= number && number <= last,
      );
      assert.ok(outcome !== undefined);
      assert.equal(outcome.cached, allowed, `${subject.name}: call ${number}`);
      if (allowed) free += 1;
    }
    assert.ok(free > 15, `${subject.name}: only ${free} calls are free`);
    // 480 numbers, each at most the longest path.
    atMost(analysed.attachInstructions, 480 * 11, `${subject.name}: instructions that attaching emulates`);
  }
});

test("the core module is small", () => {
  atMost(statSync(`${repository}/dist/component/seccomp.core.wasm`).size, 40_000, "bytes");
});
