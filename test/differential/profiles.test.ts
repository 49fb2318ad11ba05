/**
 * Whole profiles beside libseccomp's program for the same rules, decision by decision: every number of every
 * architecture, arguments at and around every constant. What may differ is listed in `docs/seccomp-semantics.md` and
 * recognised here by its cause; everything else is a failure.
 */
import assert from "node:assert/strict";
import { vcpuThread } from "../../bench/seccomp/subjects.ts";
import { SECCOMP_RET_ALLOW } from "../../src/profile/action.ts";
import { formatAction } from "../../src/profile/action-text.ts";
import { architectures } from "../../src/profile/architectures.ts";
import { builtinProfile, builtinProfileNames } from "../../src/profile/builtin-profiles.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../src/profile/resolve-profile.ts";
import { toOciSeccomp } from "../../src/profile/to-oci.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import { foreignProfile, foundForeignProfiles, skipWithoutContainersCommon } from "../support/foreign-profiles.ts";
import { shapesProfile } from "../support/shapes-profile.ts";
import { type Cause, causeOf, describeCall } from "./differences.ts";
import { compileOci, differentialTest, isBigEndian, knowsArchitecture } from "./libseccomp.ts";
import { callsOf } from "./vectors.ts";

const CAPABILITY_SETS: readonly (readonly string[])[] = [
  [],
  ["CAP_SYS_ADMIN"],
  ["CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON"],
];

const subjects: readonly (readonly [name: string, profile: Profile | null])[] = [
  ...builtinProfileNames.filter((name) => name !== "unconfined").map((name) => [name, builtinProfile(name)] as const),
  ["a profile of every shape", shapesProfile],
  ["containers-common", foreignProfile("containers-common")],
  ...foundForeignProfiles("moby-default", "runc-syscall-test1", "runc-syscall-test2"),
];

for (const [name, profile] of subjects)
  differentialTest(`${name} decides as libseccomp's program does`, [], (context) => {
    if (profile === null) {
      skipWithoutContainersCommon(context);
      return;
    }
    const causes = new Map<Cause, number>();
    for (const native of [...architectures.keys()].filter(knowsArchitecture))
      for (const capabilities of CAPABILITY_SETS)
        compare(profile, { native, capabilities, kernel: { major: 6, minor: 1 } }, causes);
    // Its binary tree is another generator; what it decides must not depend on it.
    compare(profile, { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } }, new Map(), 2);
    for (const [cause, count] of causes) context.diagnostic(`${count} calls differ by ${cause}`);
  });

differentialTest("a list full of comparisons decides as libseccomp's programs do", [], () => {
  const { architecture, filter, oci } = vcpuThread;
  const [rules] = filter.architectures;
  assert.ok(rules);
  const ours = prepareProgram(compileFilter(filter).program);
  for (const optimize of [1, 2] as const) {
    const theirs = compileOci(oci, optimize).program;
    let allowed = 0;
    for (const data of callsOf(architecture, rules)) {
      const meant = evaluate(filter, data);
      assert.equal(simulate(ours, data).action, meant, `pycri's program on ${describeCall(architecture, data)}`);
      assert.equal(simulate(theirs, data).action, meant, `libseccomp's program on ${describeCall(architecture, data)}`);
      if (meant === SECCOMP_RET_ALLOW) allowed += 1;
    }
    assert.ok(allowed > 500, `only ${allowed} calls are allowed`);
  }
});

function compare(profile: Profile, target: ResolveTarget, causes: Map<Cause, number>, optimize: 1 | 2 = 1): void {
  const all = filteredArchitectures(profile, target);
  const listed = all.filter(knowsArchitecture);
  const local = { ...target, architectures: listed };
  const { filter } = resolveProfile(profile, local);
  const oci = toOciSeccomp(profile, local);
  assert.ok(oci);
  const theirs = compileOci(oci, optimize);
  const ours = prepareProgram(compileFilter(filter).program);
  let compared = 0;
  for (const architecture of listed.map((name) => architectures.get(name)).filter((entry) => entry !== undefined)) {
    const rules = filter.architectures.find((entry) => entry.auditArchitecture === architecture.auditArchitecture);
    assert.ok(rules);
    const bigEndian = isBigEndian(architecture.name);
    for (const data of callsOf(architecture, rules)) {
      const meant = evaluate(filter, data);
      const { action } = simulate(ours, data, bigEndian);
      assert.equal(action, meant, `pycri's program on ${describeCall(architecture, data)}`);
      const { action: answered } = simulate(theirs.program, data, bigEndian);
      compared += 1;
      if (answered === meant) continue;
      const cause = causeOf(oci, rules, architecture, data);
      if (cause === null)
        assert.fail(
          `${target.native} [${target.capabilities.join(" ")}] ${describeCall(architecture, data)}: ` +
            `libseccomp ${formatAction(answered)}, pycri ${formatAction(meant)}`,
        );
      causes.set(cause, (causes.get(cause) ?? 0) + 1);
    }
  }
  assert.ok(compared > 500, `only ${compared} calls were compared`);
}
