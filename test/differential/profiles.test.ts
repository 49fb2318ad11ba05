/**
 * Whole profiles beside libseccomp's program for the same rules, decision by decision: every number of every
 * architecture, arguments at and around every constant. What may differ is listed in `docs/seccomp-semantics.md` and
 * recognised here by its cause; everything else is a failure.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { formatAction } from "../../src/profile/action-text.ts";
import { type ArchitectureName, architectures } from "../../src/profile/architectures.ts";
import { builtinProfile, builtinProfileNames } from "../../src/profile/builtin-profiles.ts";
import { parseProfileText } from "../../src/profile/parse-profile.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../src/profile/resolve-profile.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import { compileWithLibseccomp, differentialTest, isBigEndian, knowsArchitecture } from "./libseccomp.ts";
import { describeCall, isDocumented } from "./differences.ts";
import { callsOf } from "./vectors.ts";

const NATIVES: readonly ArchitectureName[] = [
  "x86_64",
  "x86",
  "aarch64",
  "arm",
  "riscv64",
  "ppc64le",
  "ppc64",
  "s390x",
  "mips64",
  "mips",
  "mipsel64n32",
  "parisc",
];

const CAPABILITY_SETS: readonly (readonly string[])[] = [
  [],
  ["CAP_SYS_ADMIN"],
  ["CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON"],
];

/** Installed by Debian's golang-github-containers-common. */
const CONTAINERS_COMMON = "/usr/share/containers/seccomp.json";

interface Subject {
  readonly name: string;
  readonly profile: () => Profile;
}

const subjects: readonly Subject[] = [
  ...builtinProfileNames
    .filter((name) => name !== "unconfined")
    .map((name) => ({ name, profile: () => builtinProfile(name) })),
  ...(existsSync(CONTAINERS_COMMON)
    ? [{ name: "containers/common", profile: () => parseProfileText(readFileSync(CONTAINERS_COMMON, "utf8")) }]
    : []),
];

for (const { name, profile } of subjects)
  differentialTest(`${name} decides as libseccomp's program does`, [], () => {
    for (const native of NATIVES.filter(knowsArchitecture))
      for (const capabilities of CAPABILITY_SETS)
        compare(profile(), { native, capabilities, kernel: { major: 6, minor: 1 } });
  });

function compare(profile: Profile, target: ResolveTarget): void {
  const all = filteredArchitectures(profile, target);
  const listed = all.filter(knowsArchitecture);
  const local = { ...target, architectures: listed };
  const { filter } = resolveProfile(profile, local);
  const theirs = compileWithLibseccomp(profile, local);
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
      if (answered !== meant && !isDocumented(filter, rules, architecture, data))
        assert.fail(
          `${target.native} [${target.capabilities.join(" ")}] ${describeCall(architecture, data)}: ` +
            `libseccomp ${formatAction(answered)}, pycri ${formatAction(meant)}`,
        );
      compared += 1;
    }
  }
  assert.ok(compared > 500, `only ${compared} calls were compared`);
}
