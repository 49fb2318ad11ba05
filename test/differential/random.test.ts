/**
 * Random rules on one call, beside libseccomp's program for them. A single rule must be decided alike. Where a call has
 * several rules libseccomp is known to go wrong; the reference meaning judges, itself checked against the rules as they are
 * written, and each difference must lie where the documentation says.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatAction } from "../../src/profile/action-text.ts";
import { actionValue } from "../../src/profile/action.ts";
import { type ArchitectureName, architectureOf } from "../../src/profile/architectures.ts";
import { parseProfile } from "../../src/profile/parse-profile.ts";
import type { ComparisonDocument, RuleDocument } from "../../src/profile/profile-document.ts";
import { resolveProfile } from "../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { toOciSeccomp } from "../../src/profile/to-oci.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { SeccompData } from "../../src/seccomp/filter.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import { compileOci, differentialTest, LibseccompRefusal } from "./libseccomp.ts";
import { argumentsOf } from "./vectors.ts";

const CALL = "personality";
const SEED = 20_260_727;

type Rule = RuleDocument & { readonly args: readonly ComparisonDocument[] };

interface Shape {
  readonly rules: { readonly minLength: number; readonly maxLength: number };
  readonly actions: readonly string[];
  readonly operators: readonly string[];
  readonly data: fc.Arbitrary<bigint>;
}

const NARROW = fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 0xffffffffn }));
const WIDE = fc.oneof(
  NARROW,
  fc.constantFrom(0x500000005n, 0x100000000n, 0xffffffff00000000n),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);
const ALL_OPERATORS = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

/** Rules for one call; no rule compares an argument twice, which would split it. */
function rulesOf({ rules, actions, operators, data }: Shape): fc.Arbitrary<readonly Rule[]> {
  const comparison = fc.record({
    index: fc.nat(2),
    op: fc.constantFrom(...operators.map((name) => `SCMP_CMP_${name}`)),
    value: data.map(String),
    valueTwo: data.map(String),
  });
  const rule = fc.record({
    names: fc.constant([CALL]),
    action: fc.constantFrom(...actions.map((name) => `SCMP_ACT_${name}`)),
    args: fc.uniqueArray(comparison, { minLength: 1, maxLength: 3, selector: ({ index }) => index }),
  });
  return fc.array(rule, rules) as fc.Arbitrary<readonly Rule[]>;
}

/** A rule's condition as it is written, apart from the code under test. */
function holds(rule: Rule, args: SeccompData["args"], bits: number): boolean {
  return rule.args.every(({ index, op, value, valueTwo }) => {
    const cut = (number: bigint): bigint => BigInt.asUintN(bits, number);
    const argument = cut(args[index] ?? 0n);
    const first = cut(BigInt(value));
    switch (op) {
      case "SCMP_CMP_NE":
        return argument !== first;
      case "SCMP_CMP_LT":
        return argument < first;
      case "SCMP_CMP_LE":
        return argument <= first;
      case "SCMP_CMP_EQ":
        return argument === first;
      case "SCMP_CMP_GE":
        return argument >= first;
      case "SCMP_CMP_GT":
        return argument > first;
      default:
        return (argument & first) === (cut(BigInt(valueTwo ?? 0)) & first);
    }
  });
}

interface Tally {
  filters: number;
  /** Filters that libseccomp decides differently somewhere, refuses, or never ends with. */
  different: number;
  refused: number;
  endless: number;
  /** Calls that libseccomp lets through and no rule allows. */
  open: number;
}

const DEFAULT = actionValue("SCMP_ACT_ERRNO");

/** `isExpected`: whether libseccomp may be wrong for these arguments. */
function compare(
  architecture: ArchitectureName,
  rules: readonly Rule[],
  tally: Tally,
  isExpected: (matching: readonly Rule[]) => boolean,
): void {
  const profile = parseProfile({ defaultAction: "SCMP_ACT_ERRNO", syscalls: rules });
  const target = {
    native: architecture,
    architectures: [architecture],
    capabilities: [],
    kernel: { major: 6, minor: 1 },
  };
  const { filter } = resolveProfile(profile, target);
  const oci = toOciSeccomp(profile, target);
  assert.ok(oci);
  tally.filters += 1;
  const ours = prepareProgram(compileFilter(filter).program);
  const theirs = ask(oci, tally);
  const { auditArchitecture, bigEndian, argumentBits } = architectureOf(architecture);
  const number = syscallTable(architecture).numbers.get(CALL) ?? -1;
  const section = filter.architectures.find((entry) => entry.auditArchitecture === auditArchitecture);
  let differs = false;
  for (const args of argumentsOf(section?.calls.find((call) => call.number === number))) {
    const data = { number, architecture: auditArchitecture, instructionPointer: 0n, args };
    const matching = rules.filter((rule) => holds(rule, args, argumentBits));
    const [first] = matching;
    const meant = first === undefined ? DEFAULT : actionValue(first.action as "SCMP_ACT_ALLOW");
    const where = `${JSON.stringify(rules)} on ${architecture} with ${args.map((value) => `0x${value.toString(16)}`).join(" ")}`;
    assert.equal(evaluate(filter, data), meant, `the reference meaning of ${where}`);
    assert.equal(simulate(ours, data, bigEndian).action, meant, `pycri's program for ${where}`);
    if (theirs === undefined) continue;
    const { action } = simulate(theirs, data, bigEndian);
    if (action === meant) continue;
    differs = true;
    if (matching.length === 0) tally.open += 1;
    assert.ok(isExpected(matching), `${where}: libseccomp ${formatAction(action)}, pycri ${formatAction(meant)}`);
  }
  if (differs) tally.different += 1;
}

function ask(oci: Parameters<typeof compileOci>[0], tally: Tally): ReturnType<typeof prepareProgram> | undefined {
  try {
    return compileOci(oci).program;
  } catch (error) {
    if (!(error instanceof LibseccompRefusal)) throw error;
    if (error.message === "rule: File exists") tally.refused += 1;
    else if (error.message === "it does not end") tally.endless += 1;
    else throw error;
    return undefined;
  }
}

const ARCHITECTURES = ["x86_64", "x86", "s390x"] as const;

function run(
  shape: Shape,
  runs: number,
  isExpected: (rules: readonly Rule[], matching: readonly Rule[]) => boolean,
): Tally {
  const tally: Tally = { filters: 0, different: 0, refused: 0, endless: 0, open: 0 };
  for (const [index, rules] of fc.sample(rulesOf(shape), { seed: SEED, numRuns: runs }).entries())
    compare(ARCHITECTURES[index % ARCHITECTURES.length] ?? "x86_64", rules, tally, (matching) =>
      isExpected(rules, matching),
    );
  return tally;
}

const summary = ({ filters, different, refused, endless, open }: Tally): string =>
  `libseccomp on ${filters} filters: ${different} decided otherwise (${open} calls let through), ${refused} refused, ${endless} endless`;

differentialTest("one rule, every operator, 64-bit data: libseccomp and pycri decide alike", [], () => {
  const shape = { rules: { minLength: 1, maxLength: 1 }, actions: ["ALLOW"], operators: ALL_OPERATORS, data: WIDE };
  const tally = run(shape, 300, () => false);
  assert.deepEqual([tally.different, tally.refused, tally.endless], [0, 0, 0]);
});

differentialTest("several rules of equalities with 32-bit data: alike, too", [], () => {
  const shape = { rules: { minLength: 2, maxLength: 4 }, actions: ["ALLOW"], operators: ["EQ"], data: NARROW };
  const tally = run(shape, 200, () => false);
  assert.deepEqual([tally.different, tally.refused, tally.endless], [0, 0, 0]);
});

differentialTest(
  "several rules, every operator: where libseccomp differs the rules as written say it is wrong",
  [],
  (context) => {
    const shape = { rules: { minLength: 2, maxLength: 4 }, actions: ["ALLOW"], operators: ALL_OPERATORS, data: WIDE };
    const tally = run(shape, 300, (rules) => rules.length > 1);
    context.diagnostic(summary(tally));
    assert.equal(tally.filters, 300);
  },
);

differentialTest("rules of different actions: pycri takes the first that holds", [], (context) => {
  const shape = {
    rules: { minLength: 2, maxLength: 4 },
    actions: ["ALLOW", "LOG", "TRAP", "KILL_PROCESS"],
    operators: ["EQ"],
    data: fc.bigInt({ min: 0n, max: 3n }),
  };
  // Equalities alone mislead libseccomp nowhere but where rules of several actions hold at once.
  const tally = run(shape, 300, (_, matching) => new Set(matching.map(({ action }) => action)).size > 1);
  context.diagnostic(summary(tally));
  assert.equal(tally.open, 0);
});
