/** Flat rule lists: what they mean, and every fault with its JSON pointer. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RuntimeError } from "../../../src/errors.ts";
import type { ArchitectureName } from "../../../src/profile/architectures.ts";
import { parseRules as parse } from "../../../src/profile/parse-rules.ts";
import { evaluate } from "../../../src/seccomp/evaluate.ts";
import type { Filter, SeccompData } from "../../../src/seccomp/filter.ts";

const ALLOW = 0x7fff0000;
const KILL_THREAD = 0;
const KILL_PROCESS = 0x80000000;
const EPERM = 0x00050001;
const X86_64 = 0xc000003e;
const X86 = 0x40000003;

function answer(filter: Filter, architecture: number, number: number, ...args: readonly bigint[]): number {
  const six = Array.from({ length: 6 }, (_, index) => args[index] ?? 0n) as unknown as SeccompData["args"];
  return evaluate(filter, { architecture, number, instructionPointer: 0n, args: six });
}

function parseRules(document: unknown, native: ArchitectureName): Filter {
  return parse(document, native).filter;
}

function issuesOf(document: unknown): readonly string[] {
  try {
    parseRules(document, "x86_64");
  } catch (error) {
    assert.ok(error instanceof RuntimeError, String(error));
    assert.equal(error.code, "INVALID_PROFILE");
    return (error.details["issues"] as { pointer: string; message: string }[]).map(
      ({ pointer, message }) => `${pointer}: ${message}`,
    );
  }
  return [];
}

describe("meaning", () => {
  test("the first rule that matches decides, unconditional or not", () => {
    const filter = parseRules(
      {
        default: "errno(EPERM)",
        rules: [
          { call: "personality", action: "kill_process", when: [{ argument: 0, op: "==", value: 1 }] },
          { call: "personality", action: "allow" },
          { call: "personality", action: "trap", when: [{ argument: 0, op: "==", value: 2 }] },
        ],
      },
      "x86_64",
    );
    assert.deepEqual(
      [1n, 2n, 3n].map((value) => answer(filter, X86_64, 135, value)),
      [KILL_PROCESS, ALLOW, ALLOW],
    );
    assert.equal(answer(filter, X86_64, 0), EPERM);
  });

  test("comparisons of one rule hold together, several on one argument too", () => {
    const filter = parseRules(
      {
        default: "allow",
        rules: [
          {
            call: 135,
            action: "errno(1)",
            when: [
              { argument: 0, op: ">=", value: 4 },
              { argument: 0, op: "<", value: "0x8" },
              { argument: 1, op: "&==", mask: 6, value: 2 },
            ],
          },
        ],
      },
      "x86_64",
    );
    const outcomes = [
      [3n, 2n],
      [4n, 2n],
      [7n, 3n],
      [8n, 2n],
      [5n, 6n],
    ].map(([a = 0n, b = 0n]) => answer(filter, X86_64, 135, a, b));
    assert.deepEqual(outcomes, [ALLOW, EPERM, EPERM, ALLOW, ALLOW]);
  });

  test("a name has each architecture's number, and unlisted architectures are unknown", () => {
    const filter = parseRules(
      {
        architectures: ["SCMP_ARCH_X86_64", "x86"],
        default: "allow",
        unknownArchitecture: "kill_process",
        rules: [{ call: "ptrace", action: "errno(EPERM)" }],
      },
      "aarch64",
    );
    assert.deepEqual(
      [answer(filter, X86_64, 101), answer(filter, X86, 26), answer(filter, X86, 101)],
      [EPERM, EPERM, ALLOW],
    );
    assert.equal(answer(filter, 0xc00000b7, 117), KILL_PROCESS);
  });

  test("the caller's architectures replace the list's", () => {
    const list = { architectures: ["x86_64"], default: "allow", rules: [{ call: "ptrace", action: "trap" }] };
    assert.deepEqual(parse(list, "x86_64").architectures, ["x86_64"]);
    const { filter, architectures } = parse(list, "x86_64", ["aarch64", "arm"]);
    assert.deepEqual(architectures, ["aarch64", "arm"]);
    assert.deepEqual(
      filter.architectures.map(({ auditArchitecture }) => auditArchitecture),
      [0xc00000b7, 0x40000028],
    );
  });

  test("x32 is an architecture of its own: unknown until it is listed", () => {
    const rules = [{ call: "ptrace", action: "errno(EPERM)" }];
    const x32Ptrace = 0x40000000 + 521;
    const alone = parseRules({ default: "allow", rules }, "x86_64");
    assert.deepEqual(
      [x32Ptrace, 0x40000000, 0xfffffffe, 0xffffffff, 0x3fffffff].map((number) => answer(alone, X86_64, number)),
      [KILL_THREAD, KILL_THREAD, KILL_THREAD, ALLOW, ALLOW],
    );
    const both = parseRules({ architectures: ["x86_64", "x32"], default: "allow", rules }, "x86_64");
    assert.deepEqual([answer(both, X86_64, x32Ptrace), answer(both, X86_64, 101)], [EPERM, EPERM]);
    assert.equal(answer(both, X86_64, 0x40000000), ALLOW);
    const x32 = parseRules({ architectures: ["x32"], default: "allow", rules }, "x86_64");
    assert.deepEqual([answer(x32, X86_64, x32Ptrace), answer(x32, X86_64, 101)], [EPERM, KILL_THREAD]);
  });

  test("x32 compares 32 bits where x86_64 compares 64", () => {
    const rules = [{ call: "personality", action: "errno(EPERM)", when: [{ argument: 0, op: "==", value: 1 }] }];
    const filter = parseRules({ architectures: ["x86_64", "x32"], default: "allow", rules }, "x86_64");
    assert.equal(answer(filter, X86_64, 135, 0x100000001n), ALLOW);
    assert.equal(answer(filter, X86_64, 0x40000000 + 135, 0x100000001n), EPERM);
  });
});

describe("faults", () => {
  const list = (rule: object, top: object = {}): object => ({
    default: "allow",
    rules: [{ call: "read", action: "trap", ...rule }],
    ...top,
  });
  const when = (comparison: object): object => list({ when: [{ argument: 0, op: "==", value: 1, ...comparison }] });
  const faults: readonly (readonly [name: string, document: unknown, issues: readonly string[]])[] = [
    ["nothing", {}, [": default is missing", ": rules is missing"]],
    ["a misspelt member", list({ whne: [] }), ['/rules/0/whne: unknown member "whne"']],
    ["an action without its errno", list({ action: "errno" }), ['/rules/0/action: "errno" is no action']],
    ["an action with one too many", list({ action: "allow(1)" }), ['/rules/0/action: "allow(1)" is no action']],
    ["an errno out of range", list({}, { default: "errno(4095)" }), ['/default: "errno(4095)" is no action']],
    [
      "an unknown architecture",
      list({}, { architectures: ["x86_64", "z80"] }),
      ['/architectures/1: "z80" is no architecture'],
    ],
    [
      "an unknown call",
      list({ call: "raed" }),
      ['/rules/0/call: no listed architecture has a system call named "raed"'],
    ],
    ["a negative call", list({ call: -1 }), ["/rules/0/call: must be >= 0"]],
    [
      "an unknown action for others",
      list({}, { unknownArchitecture: "no" }),
      ['/unknownArchitecture: "no" is no action'],
    ],
    ["a mask that is missing", when({ op: "&==" }), ["/rules/0/when/0: &== needs a mask"]],
    ["a mask without use", when({ mask: 1 }), ["/rules/0/when/0: == takes no mask"]],
    [
      "a datum outside of its mask",
      when({ op: "&==", mask: 1, value: 2 }),
      ["/rules/0/when/0/value: the value has bits outside of the mask"],
    ],
    ["a datum in words", when({ value: "one" }), ['/rules/0/when/0/value: "one" is no unsigned number']],
    [
      "a datum of 65 bits",
      when({ value: "18446744073709551616" }),
      ["/rules/0/when/0/value: 18446744073709551616 is no unsigned 64-bit number"],
    ],
    ["a seventh argument", when({ argument: 6 }), ["/rules/0/when/0/argument: must be <= 5"]],
  ];
  for (const [name, document, expected] of faults) test(name, () => assert.deepEqual(issuesOf(document), expected));
});
