/**
 * Would anyone notice? Each mutation breaks the compiler in one place, in a build of its own. The property of the compiled
 * programs must fail on it, and so must the proof: once as the broken component runs it on its own output, since the
 * prover shares nothing with the compiler, and once by the sound component.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { buildComponent, type ComponentBuild } from "../../scripts/build-component.ts";
import type { Compiler } from "../../src/seccomp/compiler.ts";
import {
  compiledProgramsAreRight,
  interpretersAgree,
  proofsAgreeWithProbes,
} from "../contract/component-properties.ts";
import { builtCompiler, compilerOf } from "../support/component.ts";
import { repository } from "../support/repository.ts";
import { filters } from "../unit/seccomp/random-filters.ts";

// Whether a mutation is noticed must not depend on luck, and the smallest case that shows it is of no interest.
fc.configureGlobal({ seed: 1, endOnFailure: true });

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Breaks what is compiled. */
const COMPILER: readonly Mutation[] = [
  {
    name: "a greater-than compares with its own bound",
    file: "decisions.ts",
    from: "return k == ALL ? onFalse : this.atLeast(word, k + 1, onTrue, onFalse);",
    to: "return k == ALL ? onFalse : this.atLeast(word, k, onTrue, onFalse);",
  },
  {
    name: "a less-or-equal forgets equality",
    file: "decisions.ts",
    from: "return this.aboveWide(low, comparison.value, fails, holds);",
    to: "return this.atLeastWide(low, comparison.value, fails, holds);",
  },
  {
    name: "high halves of a masked comparison are not looked at",
    file: "decisions.ts",
    from: "return this.equalWide(low, comparison.mask, comparison.value, holds, fails);",
    to: "return this.equalWide(low, comparison.mask & 0xffffffff, comparison.value & 0xffffffff, holds, fails);",
  },
  {
    name: "dropping settled tests: an upper bound is off by one",
    file: "facts.ts",
    from: "return highest < k ? 0 : -1;",
    to: "return highest <= k ? 0 : -1;",
  },
  {
    name: "dropping settled tests: a failed mask test counts as all bits set",
    file: "facts.ts",
    from: "if (!holds) this.learnBits(word, mask, 0);",
    to: "if (!holds) this.learnBits(word, mask, mask);",
  },
  {
    name: "ordering comparisons: the mask stays behind",
    file: "argument-checks.ts",
    from: "memory.copy(changetype<usize>(b), before, offsetof<Comparison>());",
    to: "memory.copy(changetype<usize>(b), before, offsetof<Comparison>() - 8);",
  },
  {
    name: "searching constants: the end of an equality is forgotten",
    file: "loads.ts",
    from: "starts[count++] = k + 1;",
    to: "starts[count++] = k;",
  },
  {
    name: "loads: a masked word passes for the whole one",
    file: "loads.ts",
    from: "const after = masked ? NOTHING : own;\n    const onTrue = this.madeFor",
    to: "const after = own;\n    const onTrue = this.madeFor",
  },
  {
    name: "number lists: a run of numbers passes for a lone one",
    file: "search-tree.ts",
    from: "if (count == LIST_LIMIT || !this.segments.isSingle(index)) return;",
    to: "if (count == LIST_LIMIT) return;",
  },
  {
    name: "the search tree splits one number too late",
    file: "search-tree.ts",
    from: "this.segments.first[this.origin + split], right, left",
    to: "this.segments.first[this.origin + split] + 1, right, left",
  },
  {
    name: "separate x32: the boundary's own segment is lost",
    file: "compile.ts",
    from: "segments.copy(0, straddles ? boundary + 1 : boundary)",
    to: "segments.copy(0, boundary)",
  },
  {
    name: "repeated tests: the targets are exchanged",
    file: "layout.ts",
    from: "this.put(code, <u8>onTrue, <u8>onFalse, graph.k[id]);",
    to: "this.put(code, <u8>onFalse, <u8>onTrue, graph.k[id]);",
  },
  {
    name: "long jumps: one instruction too far",
    file: "layout.ts",
    from: "else this.put(JUMP, 0, 0, this.distance(id));",
    to: "else this.put(JUMP, 0, 0, this.distance(id) - 1);",
  },
  {
    name: "big-endian halves are exchanged",
    file: "loads.ts",
    from: "(this.bigEndian ? word ^ 1 : word)",
    to: "word",
  },
  {
    name: "32-bit architectures compare all 64 bits",
    file: "decisions.ts",
    from: "const narrow = rule.argumentBits == 32;",
    to: "const narrow = false;",
  },
];

/** Breaks the judge: the prover's own meaning, its execution, or the interpreter. */
const JUDGES: readonly (Mutation & { readonly notices: (compiler: Compiler) => void })[] = [
  {
    name: "the reference takes less-or-equal for less",
    file: "reference.ts",
    from: "return this.diagram.not(this.above(low, high, value));",
    to: "return this.diagram.not(this.atLeast(low, high, value));",
    notices: (compiler) => void proofsAgreeWithProbes(compiler, 2000),
  },
  {
    name: "the symbolic execution takes greater for greater-or-equal",
    file: "symbolic.ts",
    from: "return this.diagram.atLeast(word, mask, k);",
    to: "return this.diagram.above(word, mask, k);",
    notices: (compiler) => void proofsAgreeWithProbes(compiler, 2000),
  },
  {
    name: "the symbolic execution takes greater-or-equal for greater where it needs no condition",
    file: "diagram.ts",
    from: "if (bit == 0) return holds;",
    to: "if (bit == 0) return exact ? holds : fails;",
    notices: (compiler) => void proofsAgreeWithProbes(compiler, 2000),
  },
  {
    name: "the symbolic execution needs no condition whatever the order of variables",
    file: "diagram.ts",
    from: "return <i32>unchecked(this.variable[id]) >= variable;",
    to: "return true;",
    notices: (compiler) => void proofsAgreeWithProbes(compiler, 4000),
  },
  {
    name: "the prover calls what differs proven",
    file: "prove.ts",
    from: "if (expected == actual) return PROVEN;",
    to: "return PROVEN;",
    notices: (compiler) => void proofsAgreeWithProbes(compiler, 2000),
  },
  {
    name: "the interpreter takes greater for greater-or-equal",
    file: "simulate.ts",
    from: "holds = a > operand;",
    to: "holds = a >= operand;",
    notices: (compiler) => interpretersAgree(compiler, 2000),
  },
];

async function broken({ file, from, to }: Mutation): Promise<ComponentBuild> {
  let places = 0;
  const build = await buildComponent(repository, (name, source) => {
    if (name !== file) return source;
    places += source.split(from).length - 1;
    return source.replace(from, to);
  });
  assert.equal(places, 1, `the place to break occurs ${places} times in ${file}`);
  return build;
}

const RUNS = 4000;

/** The sound component's opinion of the first wrong program that the broken one makes. */
function soundProofRefutes(compiler: Compiler): void {
  let refuted = 0;
  const details = fc.check(
    fc.property(filters, (filter) => {
      const { program } = compiler.compile(filter, { verify: false });
      if (builtCompiler.prove(filter, program).verdict !== "refuted") return true;
      refuted += 1;
      return false;
    }),
    { numRuns: RUNS },
  );
  assert.ok(details.failed && refuted === 1, `no program of ${details.numRuns} was refuted`);
}

/** The broken component's own verdict about what it makes. */
function ownProofRefutes(compiler: Compiler): void {
  const details = fc.check(
    fc.property(filters, (filter) => void compiler.compile(filter, { verify: true })),
    { numRuns: RUNS },
  );
  assert.match(String(details.errorInstance), /the compiler made a wrong program, please report it: call \d+/);
}

for (const mutation of COMPILER)
  test(`broken compiler: ${mutation.name}`, async () => {
    const compiler = await compilerOf(await broken(mutation));
    assert.throws(() => compiledProgramsAreRight(compiler, RUNS, false), /Property failed/);
    ownProofRefutes(compiler);
    soundProofRefutes(compiler);
  });

for (const { notices, ...mutation } of JUDGES)
  test(`broken judge: ${mutation.name}`, async () => {
    const compiler = await compilerOf(await broken(mutation));
    assert.throws(() => notices(compiler), /Property failed/);
  });

test("control: the same build without a mutation passes", async () => {
  const compiler = await compilerOf(await buildComponent(repository));
  compiledProgramsAreRight(compiler, 300, true);
  interpretersAgree(compiler, 300);
  proofsAgreeWithProbes(compiler, 300);
});
