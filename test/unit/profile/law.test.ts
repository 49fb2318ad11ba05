/**
 * The law of `docs/seccomp-semantics.md`, said a second time and plainly, beside what resolution makes of random profiles:
 * rules of every kind for a few calls, two of them carried by multiplexers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { actionValue, type ActionName } from "../../../src/profile/action.ts";
import { type ArchitectureName, architectureOf } from "../../../src/profile/architectures.ts";
import { parseProfile } from "../../../src/profile/parse-profile.ts";
import type { ComparisonDocument, RuleDocument } from "../../../src/profile/profile-document.ts";
import { resolveProfile, type ResolveTarget } from "../../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../../src/profile/syscall-tables.ts";
import { evaluate } from "../../../src/seccomp/evaluate.ts";
import type { SeccompData } from "../../../src/seccomp/filter.ts";

type Arguments = SeccompData["args"];

/** All older than any call with a date, so that none of them is ever newer than the profile. */
const CALLS = ["personality", "ioctl", "read"] as const;
/** Carried call → multiplexer, selector, and the bits of it that the kernel looks at. */
const CARRIED = { accept: ["socketcall", 5n, 32], semop: ["ipc", 1n, 16] } as const;
const NAMES = [...CALLS, "accept", "semop", "socketcall", "ipc"] as const;

/** The kernel's order of precedence. */
const STRICTEST: readonly ActionName[] = ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW"];

const data = fc.oneof(fc.bigInt({ min: 0n, max: 4n }), fc.constantFrom(0x10005n, 0x100000001n, 2n ** 64n - 1n));
const operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name) => `SCMP_CMP_${name}`);
const rules = fc.array(
  fc.record({
    names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
    action: fc.constantFrom(...STRICTEST),
    args: fc.oneof(
      fc.constant([]),
      fc.array(
        fc.record({
          index: fc.nat(2),
          op: fc.constantFrom(...operators),
          value: data.map(String),
          valueTwo: data.map(String),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    ),
    includes: fc.constantFrom(
      {},
      { caps: ["CAP_A"] },
      { caps: ["CAP_A", "CAP_B"] },
      { arches: ["x86", "amd64"] },
      { minKernel: "5.9" },
      { minKernel: "6.1" },
    ),
    excludes: fc.constantFrom(
      {},
      {},
      { caps: ["CAP_B", "CAP_A"] },
      { arches: ["x86"] },
      { minKernel: "6.0" },
      { minKernel: "6.2" },
    ),
  }),
  { maxLength: 8 },
) as unknown as fc.Arbitrary<readonly Rule[]>;

type Rule = Omit<RuleDocument, "action" | "args" | "names"> & {
  readonly names: readonly string[];
  readonly action: ActionName;
  readonly args: readonly ComparisonDocument[];
};

/** Linux 6.1 with CAP_A. */
function counts({ includes, excludes }: Rule, native: string): boolean {
  const met = [["CAP_A"], [native], ["5.9", "6.0", "6.1"]].flat();
  const docker = native === "x86_64" ? "amd64" : native;
  const has = (word: string): boolean => met.includes(word) || word === docker;
  const excluded = [...(excludes?.caps ?? []), ...(excludes?.arches ?? []), excludes?.minKernel ?? ""].some(has);
  const arches = includes?.arches ?? [];
  const included =
    (includes?.caps ?? []).every(has) &&
    (arches.length === 0 || arches.some(has)) &&
    (includes?.minKernel ?? "6.1") !== "6.2" &&
    has(includes?.minKernel ?? "6.1");
  return !excluded && included;
}

function holds({ index, op, value, valueTwo }: ComparisonDocument, args: Arguments, bits: number): boolean {
  const argument = BigInt.asUintN(bits, args[index] ?? 0n);
  const first = BigInt.asUintN(bits, BigInt(value));
  if (op === "SCMP_CMP_MASKED_EQ") return (argument & first) === (BigInt.asUintN(bits, BigInt(valueTwo ?? 0)) & first);
  const difference = argument < first ? -1 : argument > first ? 1 : 0;
  return {
    SCMP_CMP_NE: difference !== 0,
    SCMP_CMP_LT: difference < 0,
    SCMP_CMP_LE: difference <= 0,
    SCMP_CMP_EQ: difference === 0,
    SCMP_CMP_GE: difference >= 0,
    SCMP_CMP_GT: difference > 0,
  }[op] as boolean;
}

function ruleHolds({ args: comparisons }: Rule, args: Arguments, bits: number): boolean {
  const repeats = new Set(comparisons.map(({ index }) => index)).size < comparisons.length;
  return repeats
    ? comparisons.some((one) => holds(one, args, bits))
    : comparisons.every((one) => holds(one, args, bits));
}

/** The law. */
function meant(
  profile: { readonly defaultAction: ActionName; readonly syscalls: readonly Rule[] },
  architecture: ArchitectureName,
  name: string,
  args: Arguments,
): ActionName {
  const { argumentBits: bits } = architectureOf(architecture);
  const { numbers } = syscallTable(architecture);
  const about = (call: string): readonly Rule[] =>
    profile.syscalls.filter(
      (rule) => rule.names.includes(call) && counts(rule, architecture) && rule.action !== profile.defaultAction,
    );
  const mine = about(name);
  const unconditional = mine.find((rule) => rule.args.length === 0);
  if (unconditional !== undefined) return unconditional.action;
  const conditional = mine.find((rule) => ruleHolds(rule, args, bits));
  if (conditional !== undefined) return conditional.action;
  for (const [carried, [multiplexer, selector, width]] of Object.entries(CARRIED)) {
    if (multiplexer !== name || !numbers.has(multiplexer) || BigInt.asUintN(width, args[0]) !== selector) continue;
    const inside = about(carried);
    const whole = inside.find((rule) => rule.args.length === 0);
    if (whole !== undefined) return whole.action;
    const possible = new Set([profile.defaultAction, ...inside.map(({ action }) => action)]);
    return STRICTEST.find((action) => possible.has(action)) ?? profile.defaultAction;
  }
  return profile.defaultAction;
}

const argument = fc.oneof(
  fc.bigInt({ min: 0n, max: 6n }),
  fc.constantFrom(0x10001n, 0x10005n, 0x100000001n, 2n ** 32n - 1n, 2n ** 64n - 1n),
);
const calls = fc.array(
  fc.tuple(fc.constantFrom(...NAMES), fc.tuple(argument, argument, argument, argument, argument, argument)),
  { minLength: 40, maxLength: 40 },
);

for (const native of ["x86_64", "x86", "s390x"] as const)
  test(`resolution on ${native} is the law`, () => {
    const target: ResolveTarget = {
      native,
      architectures: [native],
      capabilities: ["CAP_A"],
      kernel: { major: 6, minor: 1 },
    };
    const { numbers } = syscallTable(native);
    const { auditArchitecture } = architectureOf(native);
    fc.assert(
      fc.property(
        fc.constantFrom<ActionName>("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"),
        rules,
        calls,
        (defaultAction, syscalls, probes) => {
          const profile = { defaultAction, syscalls };
          const { filter } = resolveProfile(parseProfile(profile), target);
          for (const [name, args] of probes) {
            const number = numbers.get(name);
            if (number === undefined) continue;
            assert.equal(
              evaluate(filter, { number, architecture: auditArchitecture, instructionPointer: 0n, args }),
              actionValue(meant(profile, native, name, args)),
              `${name} ${args.join(" ")}`,
            );
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
