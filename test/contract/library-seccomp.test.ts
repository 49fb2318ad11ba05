/** The library's functions on seccomp profiles, from the built package: profiles and programs in memory, typed options. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type * as Library from "../../src/index.ts";
import { repository } from "../support/repository.ts";

const pycri = (await import(`${repository}/dist/index.js`)) as typeof Library;

const document: Library.ProfileDocument = {
  defaultAction: "SCMP_ACT_ERRNO",
  syscalls: [
    { names: ["read"], action: "SCMP_ACT_ALLOW" },
    { names: ["chroot"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_SYS_CHROOT"] } },
    { names: ["personality"], action: "SCMP_ACT_LOG", args: [{ index: 0, op: "SCMP_CMP_EQ", value: 8n }] },
  ],
};
const rules: Library.RuleListDocument = {
  architectures: ["s390x"],
  default: "allow",
  rules: [{ call: "personality", action: "errno(EPERM)", when: [{ argument: 0, op: ">", value: 0x100000000n }] }],
};
const x86_64: Library.FilterOptions = { architectures: ["x86_64"] };

describe("compileProfile", () => {
  test("a document, its text and a rule list", () => {
    const compiled = pycri.compileProfile({ document }, x86_64);
    assert.deepEqual(compiled.architectures, ["x86_64"]);
    assert.equal(compiled.flags, 4);
    assert.equal(compiled.proven, true);
    assert.equal(compiled.program.length, compiled.instructionCount * 8);
    const text = JSON.stringify(document, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
    assert.deepEqual(pycri.compileProfile({ text }, x86_64).program, compiled.program);
    const big = pycri.compileProfile({ document: rules }, { format: "rules" });
    assert.deepEqual(big.architectures, ["s390x"]);
    assert.deepEqual([...big.program.subarray(0, 8)], [0, 0x20, 0, 0, 0, 0, 0, 4], "in the architecture's byte order");
  });

  test("weights by call", () => {
    const weights = new Map([["lsetxattr", 1000]]);
    const options = { ...x86_64, kernel: "5.4" };
    const weighted = pycri.compileProfile("default", { ...options, weights }).measure.weighted;
    assert.ok(weighted < pycri.compileProfile("default", { ...options, weights: "uniform" }).measure.weighted);
  });

  test("what it costs", () => {
    const cost = pycri.profileCost({ document }, x86_64);
    assert.equal(cost.cost.instructions, pycri.compileProfile({ document }, x86_64).instructionCount);
    assert.ok((cost.without.get("numberLists")?.instructions ?? 0) > cost.cost.instructions);
    const cached = cost.outcomes.map(({ outcomes }) => outcomes.filter((outcome) => outcome.cached));
    assert.deepEqual(cached, [[{ first: 0, last: 0, actions: [0x7fff0000], cached: true }]]);
    assert.equal(pycri.formatProfileCost(cost).at(-2), "  free: read");
  });

  test("a fault is a RuntimeError with a code and pointers", () => {
    assert.throws(
      () => pycri.compileProfile({ document: { defaultAction: "SCMP_ACT_ALLOW", syscals: [] } }),
      (error) =>
        error instanceof pycri.RuntimeError &&
        error.code === "INVALID_PROFILE" &&
        (error.details["issues"] as { pointer: string }[])[0]?.pointer === "/syscals",
    );
  });
});

test("simulateCall: numbers, bigints and text", () => {
  const program = pycri.prepareSimulation({ profile: { document } }, x86_64);
  const answer = (call: string | number, ...args: (string | number | bigint)[]): string =>
    pycri.simulateCall(program, call, args, "x86_64").text;
  assert.deepEqual(
    [answer("read"), answer(135, 8), answer(135, 8n), answer("personality", "0x8"), answer(135, -1), answer(-1)],
    ["allow", "log", "log", "log", "errno(EPERM)", "errno(EPERM)"],
  );
  const chroot = pycri.prepareSimulation({ profile: { document } }, { ...x86_64, capabilities: ["SYS_CHROOT"] });
  assert.deepEqual(
    [answer("chroot"), pycri.simulateCall(chroot, "chroot", [], "x86_64").text],
    ["errno(EPERM)", "allow"],
  );
});

test("verifyProgram: another program, and the call that shows it", () => {
  const { program } = pycri.compileProfile({ document }, x86_64);
  assert.equal(pycri.verifyProgram({ document }, program, x86_64).verification.verdict, "proven");
  const { verification } = pycri.verifyProgram({ document }, program, { ...x86_64, capabilities: ["CAP_SYS_CHROOT"] });
  assert.ok(verification.verdict === "refuted");
  assert.deepEqual(
    [verification.difference.name, verification.difference.expectedText, verification.difference.actualText],
    ["chroot", "allow", "errno(EPERM)"],
  );
});

test("disassembleProgram and listCalls", () => {
  const { program } = pycri.compileProfile({ document: rules }, { format: "rules" });
  assert.match(pycri.disassembleProgram(program, "big").join("\n"), /jeq #0x80000016 \d+ \d+ +; s390x/);
  const [listing] = pycri.listCalls({ document }, x86_64).architectures;
  assert.deepEqual(
    listing?.conditional.map(({ name }) => name),
    ["personality"],
  );
});
