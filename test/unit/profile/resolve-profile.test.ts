/** Resolution: architectures, conditions, combination of rules, multiplexers, and the ENOSYS answer. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
} from "../../../src/profile/action.ts";
import { parseProfile } from "../../../src/profile/parse-profile.ts";
import type { ProfileDocument, RuleDocument } from "../../../src/profile/profile-document.ts";
import { resolveProfile, type ResolveTarget } from "../../../src/profile/resolve-profile.ts";
import type { ArchitectureRules, CallRule, Filter } from "../../../src/seccomp/filter.ts";

const EPERM = SECCOMP_RET_ERRNO + 1;
const ENOSYS = SECCOMP_RET_ERRNO + 38;
const AUDIT_ARCH_X86_64 = 0xc000003e;
const AUDIT_ARCH_I386 = 0x40000003;
const AUDIT_ARCH_AARCH64 = 0xc00000b7;

const target: ResolveTarget = { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } };

function resolve(document: ProfileDocument, overrides: Partial<ResolveTarget> = {}): Filter {
  return resolveProfile(parseProfile(document), { ...target, ...overrides }).filter;
}

function section(filter: Filter, auditArchitecture: number): ArchitectureRules {
  const found = filter.architectures.find((entry) => entry.auditArchitecture === auditArchitecture);
  assert.ok(found, `no section for 0x${auditArchitecture.toString(16)}`);
  return found;
}

function call(filter: Filter, number: number, auditArchitecture: number = AUDIT_ARCH_X86_64): CallRule | undefined {
  return section(filter, auditArchitecture).calls.find((entry) => entry.number === number);
}

const allowList = (...syscalls: readonly RuleDocument[]): ProfileDocument => ({
  defaultAction: "SCMP_ACT_ERRNO",
  syscalls,
});
const denyList = (...syscalls: readonly RuleDocument[]): ProfileDocument => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls,
});
const allow = (name: string, more: Partial<RuleDocument> = {}): RuleDocument => ({
  names: [name],
  action: "SCMP_ACT_ALLOW",
  ...more,
});
const equals = (index: number, value: number | string): { index: number; value: number | string; op: string } => ({
  index,
  value,
  op: "SCMP_CMP_EQ",
});

describe("architectures", () => {
  test("the native one is always filtered", () => {
    const filter = resolve({ ...allowList(allow("read")), architectures: ["SCMP_ARCH_X86"] });
    assert.deepEqual(
      filter.architectures.map(({ auditArchitecture }) => auditArchitecture),
      [AUDIT_ARCH_X86_64, AUDIT_ARCH_I386],
    );
    assert.equal(filter.unknownArchitecture, SECCOMP_RET_KILL_THREAD);
  });

  test("archMap adds the native architecture's relatives and no others", () => {
    const document: ProfileDocument = {
      ...allowList(allow("read")),
      archMap: [
        { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
        { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
      ],
    };
    assert.deepEqual(
      resolve(document, { native: "aarch64" }).architectures.map(({ auditArchitecture }) => auditArchitecture),
      [AUDIT_ARCH_AARCH64, 0x40000028],
    );
  });

  test("x32 numbers are killed unless x32 is listed; -1 keeps the default", () => {
    const { ranges } = section(resolve(denyList({ names: ["ptrace"], action: "SCMP_ACT_KILL" })), AUDIT_ARCH_X86_64);
    assert.deepEqual(ranges, [{ first: 0x40000000, last: 0xfffffffe, action: SECCOMP_RET_KILL_THREAD }]);
    const listed = resolve({
      ...denyList({ names: ["ptrace"], action: "SCMP_ACT_KILL" }),
      architectures: ["SCMP_ARCH_X32"],
    });
    assert.deepEqual(section(listed, AUDIT_ARCH_X86_64).ranges, []);
    assert.equal(call(listed, 0x40000000 + 521)?.otherwise, SECCOMP_RET_KILL_THREAD, "x32 has its own ptrace");
    assert.equal(call(listed, 101)?.otherwise, SECCOMP_RET_KILL_THREAD);
  });

  test("an unconfined document makes a filter without sections", () => {
    assert.deepEqual(resolve({ syscalls: [] }), { architectures: [], unknownArchitecture: SECCOMP_RET_ALLOW });
  });
});

describe("combining rules", () => {
  test("an unconditional rule beats conditional ones whatever the order", () => {
    const filter = resolve(
      allowList({ names: ["personality"], action: "SCMP_ACT_LOG", args: [equals(0, 1)] }, allow("personality"), {
        names: ["personality"],
        action: "SCMP_ACT_KILL",
        args: [equals(0, 2)],
      }),
    );
    assert.deepEqual(call(filter, 135), { number: 135, argumentBits: 64, clauses: [], otherwise: SECCOMP_RET_ALLOW });
  });

  test("of two unconditional rules the first wins", () => {
    const filter = resolve(allowList({ names: ["read"], action: "SCMP_ACT_LOG" }, allow("read")));
    assert.equal(call(filter, 0)?.otherwise, SECCOMP_RET_LOG);
  });

  test("conditional rules keep the profile's order", () => {
    const filter = resolve(
      allowList(allow("personality", { args: [equals(0, 1)] }), {
        names: ["personality"],
        action: "SCMP_ACT_LOG",
        args: [{ index: 0, value: 8, op: "SCMP_CMP_LT" }],
      }),
    );
    assert.deepEqual(
      call(filter, 135)?.clauses.map(({ action }) => action),
      [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG],
    );
  });

  test("a rule that repeats the default is skipped, wherever it stands, and reported", () => {
    const repeated: RuleDocument = { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [equals(0, 5)] };
    for (const rules of [
      [repeated, allow("read")],
      [allow("read"), repeated],
    ]) {
      const { filter, warnings } = resolveProfile(parseProfile(allowList(...rules)), target);
      assert.deepEqual(call(filter, 0), { number: 0, argumentBits: 64, clauses: [], otherwise: SECCOMP_RET_ALLOW });
      assert.deepEqual(
        warnings.map(({ code, pointer }) => `${code} ${pointer}`),
        [`RULE_WITHOUT_EFFECT /syscalls/${rules.indexOf(repeated)}`],
      );
    }
  });

  test("a listener that no rule hands a call to is reported", () => {
    const { warnings } = resolveProfile(parseProfile({ ...allowList(allow("read")), listenerPath: "/run/l" }), target);
    assert.deepEqual(warnings, [
      { code: "LISTENER_WITHOUT_NOTIFY", message: "no rule hands a call to the listener", pointer: "/listenerPath" },
    ]);
  });

  test("a name that no architecture knows is reported once, at its rule", () => {
    const { warnings } = resolveProfile(
      parseProfile({ ...allowList(allow("read"), allow("raed")), architectures: ["SCMP_ARCH_X86"] }),
      target,
    );
    assert.deepEqual(warnings, [
      { code: "UNKNOWN_CALL", message: 'no architecture has a system call named "raed"', pointer: "/syscalls/1" },
    ]);
  });

  test("comparisons on one argument become alternatives, all of them", () => {
    const filter = resolve(allowList(allow("personality", { args: [equals(0, 1), equals(0, 2), equals(1, 3)] })));
    assert.deepEqual(
      call(filter, 135)?.clauses.map(({ comparisons }) => comparisons.map(({ index, value }) => [index, value])),
      [[[0, 1n]], [[0, 2n]], [[1, 3n]]],
    );
  });

  test("a condition that comes again with another action is reported, and the first decides", () => {
    const profile = parseProfile(
      allowList(allow("personality", { args: [equals(0, 1), equals(1, 2)] }), {
        names: ["personality"],
        action: "SCMP_ACT_LOG",
        args: [equals(1, 2), equals(0, 1)],
      }),
    );
    const { filter, warnings } = resolveProfile(profile, target);
    assert.deepEqual(
      call(filter, 135)?.clauses.map(({ action }) => action),
      [SECCOMP_RET_ALLOW],
    );
    assert.deepEqual(
      warnings.map(({ code, pointer }) => `${code} ${pointer}`),
      ["CONFLICTING_RULES /syscalls/1"],
    );
  });

  test("32-bit architectures see the low halves of datum and mask", () => {
    const filter = resolve({
      ...allowList(
        allow("personality", {
          args: [{ index: 0, value: "0xf0000000f", valueTwo: "0x100000001", op: "SCMP_CMP_MASKED_EQ" }],
        }),
      ),
      architectures: ["SCMP_ARCH_X86"],
    });
    const [wide] = call(filter, 135)?.clauses[0]?.comparisons ?? [];
    const [narrow] = call(filter, 136, AUDIT_ARCH_I386)?.clauses[0]?.comparisons ?? [];
    assert.deepEqual(wide, { index: 0, operator: "MASKED_EQ", value: 0x100000001n, mask: 0xf0000000fn });
    assert.deepEqual(narrow, { index: 0, operator: "MASKED_EQ", value: 1n, mask: 0xfn });
  });
});

describe("multiplexers", () => {
  const x86 = { architectures: ["x86"] as const, native: "x86" as const };

  test("an unconditional rule reaches the function of socketcall and of ipc", () => {
    const filter = resolve(allowList(allow("socket"), allow("shmat")), x86);
    assert.deepEqual(call(filter, 102, AUDIT_ARCH_I386)?.clauses, [
      {
        comparisons: [{ index: 0, operator: "MASKED_EQ", value: 1n, mask: 0xffffffffn }],
        action: SECCOMP_RET_ALLOW,
      },
    ]);
    assert.deepEqual(call(filter, 117, AUDIT_ARCH_I386)?.clauses[0]?.comparisons, [
      { index: 0, operator: "MASKED_EQ", value: 21n, mask: 0xffffn },
    ]);
  });

  test("conditions that cannot be checked give the strictest outcome", () => {
    const allowed = resolve(allowList(allow("socket", { args: [equals(0, 2)] })), x86);
    assert.equal(call(allowed, 102, AUDIT_ARCH_I386), undefined);
    const denied = resolve(denyList({ names: ["socket"], action: "SCMP_ACT_ERRNO", args: [equals(0, 40)] }), x86);
    assert.equal(call(denied, 102, AUDIT_ARCH_I386)?.clauses[0]?.action, EPERM);
  });

  test("the strictest of all conditional rules counts, also of one that never decides the direct call", () => {
    const log: RuleDocument = { names: ["socket"], action: "SCMP_ACT_LOG", args: [equals(0, 1)] };
    const kill: RuleDocument = { names: ["socket"], action: "SCMP_ACT_KILL", args: [equals(0, "0x100000001")] };
    const filter = resolve(denyList(log, kill), x86);
    assert.deepEqual(
      call(filter, 359, AUDIT_ARCH_I386)?.clauses.map(({ action }) => action),
      [SECCOMP_RET_LOG],
      "with 32 bits both have one condition, and the first decides",
    );
    assert.deepEqual(
      call(filter, 102, AUDIT_ARCH_I386)?.clauses.map(({ action }) => action),
      [SECCOMP_RET_KILL_THREAD],
    );
  });

  test("a rule for the multiplexer itself decides, and the loss is reported", () => {
    const resolved = resolveProfile(
      parseProfile(allowList(allow("socketcall"), allow("socket", { args: [equals(0, 2)] }))),
      { ...target, ...x86 },
    );
    assert.equal(call(resolved.filter, 102, AUDIT_ARCH_I386)?.otherwise, SECCOMP_RET_ALLOW);
    assert.deepEqual(
      resolved.warnings.map(({ code }) => code),
      ["MULTIPLEXED_CALL"],
    );
  });
});

describe("calls newer than the profile", () => {
  test("are those of a later release than the newest call it names", () => {
    const filter = resolve(allowList(allow("read"), allow("mseal")));
    const { ranges } = section(filter, AUDIT_ARCH_X86_64);
    assert.deepEqual(ranges, [
      { first: 335, last: 336, action: ENOSYS },
      { first: 463, last: 0x3fffffff, action: ENOSYS },
      { first: 0x40000000, last: 0xfffffffe, action: SECCOMP_RET_KILL_THREAD },
    ]);
  });

  test("a call named under a condition that does not hold is known all the same", () => {
    const filter = resolve(allowList(allow("read"), allow("mseal", { includes: { caps: ["CAP_SYS_ADMIN"] } })));
    assert.equal(section(filter, AUDIT_ARCH_X86_64).ranges[1]?.first, 463);
    assert.equal(call(filter, 462), undefined);
  });

  test("old profiles do not take old calls for new ones, as comparing numbers would", () => {
    const filter = resolve(allowList(allow("exit_group")), { native: "aarch64" });
    const ranges = section(filter, AUDIT_ARCH_AARCH64).ranges;
    const mmap = 222;
    assert.ok(ranges.every(({ first, last }) => mmap < first || mmap > last));
  });

  test("a default that lets calls through gives no ENOSYS", () => {
    for (const defaultAction of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"])
      assert.deepEqual(
        section(
          resolve({ defaultAction, syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL" }] }, { native: "aarch64" }),
          AUDIT_ARCH_AARCH64,
        ).ranges,
        [],
      );
  });

  test("a profile that names nothing of an architecture has no notion of newer", () => {
    assert.deepEqual(section(resolve(allowList(), { native: "aarch64" }), AUDIT_ARCH_AARCH64).ranges, []);
  });

  test("ENOSYS has the architecture's own number", () => {
    const mips = resolve(allowList(allow("read")), { native: "mips64" });
    assert.equal(mips.architectures[0]?.ranges[0]?.action, SECCOMP_RET_ERRNO + 89);
  });

  test("setup(2) of s390 is answered like a newer call", () => {
    const [s390x] = resolve(allowList(allow("read")), { native: "s390x" }).architectures;
    assert.deepEqual(s390x?.ranges[0], { first: 0, last: 0, action: ENOSYS });
    const named = resolve({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [] }, { native: "s390x" });
    assert.deepEqual(named.architectures[0]?.ranges, []);
  });

  test("arm's private calls keep the default", () => {
    const [arm] = resolve(allowList(allow("mseal")), { native: "arm" }).architectures;
    assert.deepEqual(arm?.ranges, [
      { first: 463, last: 0xf0000, action: ENOSYS },
      { first: 0xf0007, last: 0xfffffffe, action: ENOSYS },
    ]);
  });
});

describe("conditions", () => {
  const rule = (more: Partial<RuleDocument>): ProfileDocument => allowList(allow("read", more));

  test("includes.caps needs all, excludes.caps any", () => {
    const both = { caps: ["CAP_A", "CAP_B"] };
    assert.equal(call(resolve(rule({ includes: both }), { capabilities: ["CAP_A"] }), 0), undefined);
    assert.ok(call(resolve(rule({ includes: both }), { capabilities: ["CAP_A", "CAP_B"] }), 0));
    assert.equal(call(resolve(rule({ excludes: both }), { capabilities: ["CAP_B"] }), 0), undefined);
  });

  test("arches speak of the native architecture", () => {
    assert.ok(call(resolve(rule({ includes: { arches: ["amd64"] } })), 0));
    assert.equal(call(resolve(rule({ includes: { arches: ["x86"] } }), { architectures: ["x86"] }), 0), undefined);
    assert.equal(call(resolve(rule({ excludes: { arches: ["arm", "amd64"] } })), 0), undefined);
  });

  test("minKernel compares major, then minor", () => {
    const on = (major: number, minor: number): CallRule | undefined =>
      call(resolve(rule({ includes: { minKernel: "4.8" } }), { kernel: { major, minor } }), 0);
    assert.equal(on(4, 7), undefined);
    assert.equal(on(3, 19), undefined);
    assert.ok(on(4, 8));
    assert.ok(on(5, 0));
  });
});
