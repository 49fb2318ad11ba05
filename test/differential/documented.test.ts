/**
 * The examples of `docs/seccomp-semantics.md`: what libseccomp (2.5.4) answers and what pycri answers, call by call. A
 * newer libseccomp may have come to pycri's answer, but not to a third one.
 */
import assert from "node:assert/strict";
import { formatAction } from "../../src/profile/action-text.ts";
import { type ArchitectureName, architectureOf } from "../../src/profile/architectures.ts";
import { parseProfile } from "../../src/profile/parse-profile.ts";
import type { RuleDocument } from "../../src/profile/profile-document.ts";
import { resolveProfile } from "../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { toOciSeccomp } from "../../src/profile/to-oci.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import { compileOci, differentialTest, LibseccompRefusal } from "./libseccomp.ts";

type Operator = "NE" | "LT" | "LE" | "EQ" | "GE" | "GT" | "MASKED_EQ";

const when = (index: number, op: Operator, value: number | string, valueTwo?: number): object => ({
  index,
  op: `SCMP_CMP_${op}`,
  value,
  ...(valueTwo === undefined ? {} : { valueTwo }),
});

const rule = (name: string, action: string, ...args: readonly object[]): RuleDocument =>
  ({ names: [name], action: `SCMP_ACT_${action}`, args }) as RuleDocument;

/** `CALL argument…` → `[libseccomp's answer, pycri's]`. */
function answers(
  architecture: ArchitectureName,
  defaultAction: string,
  rules: readonly RuleDocument[],
  calls: readonly string[],
): Readonly<Record<string, readonly [libseccomp: string, pycri: string]>> {
  const profile = parseProfile({ defaultAction: `SCMP_ACT_${defaultAction}`, syscalls: rules });
  const target = {
    native: architecture,
    architectures: [architecture],
    capabilities: [],
    kernel: { major: 6, minor: 1 },
  };
  const oci = toOciSeccomp(profile, target);
  assert.ok(oci);
  const theirs = compileOci(oci).program;
  const ours = prepareProgram(compileFilter(resolveProfile(profile, target).filter).program);
  const { auditArchitecture, bigEndian } = architectureOf(architecture);
  return Object.fromEntries(
    calls.map((call) => {
      const [name = "", ...words] = call.split(" ");
      const args = Array.from({ length: 6 }, (_, index) => BigInt(words[index] ?? 0));
      const data = {
        number: syscallTable(architecture).numbers.get(name) ?? Number(name),
        architecture: auditArchitecture,
        instructionPointer: 0n,
        args: args as unknown as readonly [bigint, bigint, bigint, bigint, bigint, bigint],
      };
      const text = (program: typeof ours): string =>
        formatAction(simulate(program, data, bigEndian).action, architecture);
      return [call, [text(theirs), text(ours)]];
    }),
  );
}

/** Fails unless pycri answers as expected, and libseccomp as expected or by now as pycri. */
function expectAnswers(
  actual: ReturnType<typeof answers>,
  expected: Readonly<Record<string, readonly [libseccomp: string, pycri: string]>>,
  message?: string,
): void {
  const mended = Object.entries(actual).map(([call, [theirs, ours]]) => {
    const isMended = theirs === ours && theirs !== expected[call]?.[0];
    return [call, [isMended ? (expected[call]?.[0] ?? "") : theirs, ours]] as const;
  });
  assert.deepEqual(Object.fromEntries(mended), expected, message);
}

differentialTest("several rules on one call: libseccomp lets through what none of them allows", [], () => {
  expectAnswers(
    answers(
      "x86_64",
      "ERRNO",
      [rule("personality", "ALLOW", when(0, "GE", "0x500000005")), rule("personality", "ALLOW", when(0, "LT", 2))],
      ["personality 0x11", "personality 1", "personality 0x500000005"],
    ),
    {
      "personality 0x11": ["allow", "errno(EPERM)"],
      "personality 1": ["allow", "allow"],
      "personality 0x500000005": ["allow", "allow"],
    },
  );
});

differentialTest("conditional rules with different actions: pycri takes the first", [], () => {
  const wide = rule("personality", "LOG", when(0, "LE", 8));
  const narrow = rule("personality", "ALLOW", when(0, "EQ", 4));
  const ours = (rules: readonly RuleDocument[]): string | undefined =>
    answers("x86_64", "ERRNO", rules, ["personality 4"])["personality 4"]?.[1];
  assert.deepEqual([ours([wide, narrow]), ours([narrow, wide])], ["log", "allow"]);
});

differentialTest("one condition with two actions: libseccomp refuses, pycri takes the first", [], () => {
  const rules = [rule("personality", "ALLOW", when(0, "EQ", 4)), rule("personality", "LOG", when(0, "EQ", 4))];
  assert.throws(
    () => answers("x86_64", "ERRNO", rules, ["personality 4"]),
    (error) => error instanceof LibseccompRefusal && error.message === "rule: File exists",
  );
  const { filter, warnings } = resolveProfile(parseProfile({ defaultAction: "SCMP_ACT_ERRNO", syscalls: rules }), {
    native: "x86_64",
    capabilities: [],
    kernel: { major: 6, minor: 1 },
  });
  assert.deepEqual(
    filter.architectures[0]?.calls[0]?.clauses.map(({ action }) => formatAction(action)),
    ["allow"],
  );
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["CONFLICTING_RULES"],
  );
});

differentialTest("an unconditional rule beats conditional ones, as with libseccomp", [], () => {
  for (const rules of [
    [rule("personality", "LOG", when(0, "EQ", 4)), rule("personality", "ALLOW")],
    [rule("personality", "ALLOW"), rule("personality", "LOG", when(0, "EQ", 4))],
  ])
    expectAnswers(answers("x86_64", "ERRNO", rules, ["personality 4"]), { "personality 4": ["allow", "allow"] });
});

differentialTest("a masked datum with bits outside of its mask, as with libseccomp", [], () => {
  expectAnswers(
    answers(
      "x86_64",
      "ERRNO",
      [rule("personality", "ALLOW", when(0, "MASKED_EQ", 0xf, 0x11))],
      ["personality 1", "personality 0x11", "personality 2"],
    ),
    {
      "personality 1": ["allow", "allow"],
      "personality 0x11": ["allow", "allow"],
      "personality 2": ["errno(EPERM)", "errno(EPERM)"],
    },
  );
});

differentialTest(
  "64-bit comparisons: a sign-extended -1 is not 0xffffffff, but on 32-bit architectures, as with libseccomp",
  [],
  () => {
    const rules = [rule("personality", "ALLOW", when(0, "EQ", 0xffffffff))];
    const call = "personality 0xffffffffffffffff";
    for (const [architecture, answer] of [
      ["x86_64", "errno(EPERM)"],
      ["x86", "allow"],
      ["x32", "allow"],
      ["s390x", "errno(EPERM)"],
      ["ppc", "allow"],
    ] as const)
      expectAnswers(answers(architecture, "ERRNO", rules, [call]), { [call]: [answer, answer] }, architecture);
  },
);

differentialTest("conditions inside of a multiplexer: libseccomp drops them, pycri is strict", [], () => {
  // socketcall(1) is socket, ipc(22) is shmdt; the direct call keeps its condition.
  for (const architecture of ["x86", "s390x"] as const)
    expectAnswers(
      answers(
        architecture,
        "ERRNO",
        [rule("socket", "ALLOW", when(0, "EQ", 2))],
        ["socketcall 1", "socket 2", "socket 16"],
      ),
      {
        "socketcall 1": ["allow", "errno(EPERM)"],
        "socket 2": ["allow", "allow"],
        "socket 16": ["errno(EPERM)", "errno(EPERM)"],
      },
      architecture,
    );
  expectAnswers(answers("x86", "ALLOW", [rule("socket", "ERRNO", when(0, "EQ", 40))], ["socketcall 1"]), {
    "socketcall 1": ["errno(EPERM)", "errno(EPERM)"],
  });
});

differentialTest("calls that only a multiplexer has: libseccomp loses their unconditional rules", [], () => {
  expectAnswers(answers("x86", "ERRNO", [rule("accept", "ALLOW"), rule("semop", "ALLOW")], ["socketcall 5", "ipc 1"]), {
    "socketcall 5": ["errno(EPERM)", "allow"],
    "ipc 1": ["errno(EPERM)", "allow"],
  });
});

differentialTest("bits of a selector that the kernel ignores: pycri ignores them, too", [], () => {
  expectAnswers(answers("x86", "ALLOW", [rule("shmat", "ERRNO")], ["ipc 21", "ipc 0x10015"]), {
    "ipc 21": ["errno(EPERM)", "errno(EPERM)"],
    "ipc 0x10015": ["allow", "errno(EPERM)"],
  });
});

differentialTest("two names with one pseudo-number: libseccomp's rule for one filters the other", [], () => {
  // Each exists on one architecture only, and libseccomp takes either name for both.
  const theirs = answers("ppc64", "ALLOW", [rule("sys_debug_setcontext", "ERRNO")], ["switch_endian"]);
  expectAnswers(theirs, { switch_endian: ["errno(EPERM)", "allow"] });
});

differentialTest("two names of one call: libseccomp knows one of them", [], () => {
  expectAnswers(answers("arm", "ERRNO", [rule("sync_file_range2", "ALLOW")], ["341"]), {
    "341": ["errno(EPERM)", "allow"],
  });
  expectAnswers(answers("arm", "ERRNO", [rule("arm_sync_file_range", "ALLOW")], ["341"]), {
    "341": ["allow", "allow"],
  });
});

differentialTest("ENOSYS for newer calls: libseccomp alone gives the default", [], () => {
  expectAnswers(
    answers("x86_64", "ERRNO", [rule("openat2", "ALLOW")], ["openat2", "clone3", "faccessat2", "100000", "0xffffffff"]),
    {
      openat2: ["allow", "allow"],
      clone3: ["errno(EPERM)", "errno(EPERM)"],
      faccessat2: ["errno(EPERM)", "errno(ENOSYS)"],
      "100000": ["errno(EPERM)", "errno(ENOSYS)"],
      "0xffffffff": ["errno(EPERM)", "errno(EPERM)"],
    },
  );
});

differentialTest("x32 numbers: killed where x32 is not listed, -1 left to the default, as with libseccomp", [], () => {
  expectAnswers(answers("x86_64", "ALLOW", [rule("ptrace", "ERRNO")], ["0x40000000", "0xfffffffe", "0xffffffff"]), {
    "0x40000000": ["kill_thread", "kill_thread"],
    "0xfffffffe": ["kill_thread", "kill_thread"],
    "0xffffffff": ["allow", "allow"],
  });
});
