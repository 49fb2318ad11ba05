/**
 * The filters that runc and crun install for the shipped profiles, read back from the kernel, beside pycri's: with runc
 * that includes its ENOSYS answer for newer calls.
 */
import assert from "node:assert/strict";
import { formatAction } from "../../src/profile/action-text.ts";
import { ENOSYS, SECCOMP_RET_ERRNO } from "../../src/profile/action.ts";
import { architectureOf } from "../../src/profile/architectures.ts";
import { builtinProfile } from "../../src/profile/builtin-profiles.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../src/profile/resolve-profile.ts";
import { toOciSeccomp } from "../../src/profile/to-oci.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import { simulate } from "../../src/seccomp/simulate.ts";
import { foreignProfile, foundForeignProfiles, skipWithoutContainersCommon } from "../support/foreign-profiles.ts";
import { shapesProfile } from "../support/shapes-profile.ts";
import { causeOf, describeCall, isNewerThanNamed } from "./differences.ts";
import { differentialTest } from "./libseccomp.ts";
import { installedFilter, lackingForReading, type Runtime } from "./runtimes.ts";
import { callsOf } from "./vectors.ts";

const target: ResolveTarget = { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } };

const profiles: readonly (readonly [string, Profile | null])[] = [
  ...(["default", "baseline", "ci"] as const).map((name) => [name, builtinProfile(name)] as const),
  ["a profile of every shape", shapesProfile],
  ["containers-common", foreignProfile("containers-common")],
  ...foundForeignProfiles("moby-default", "runc-syscall-test1", "runc-syscall-test2"),
];

for (const runtime of ["runc", "crun"] as const)
  for (const [name, profile] of profiles)
    differentialTest(`${name} decides as the filter that ${runtime} installs`, [runtime, "busybox"], (context) => {
      if (profile === null) {
        skipWithoutContainersCommon(context);
        return;
      }
      const reason = lackingForReading();
      if (reason !== null) {
        assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `REQUIRE_KERNEL=1, but ${reason}`);
        context.skip(reason);
        return;
      }
      compare(runtime, profile);
    });

function compare(runtime: Runtime, profile: Profile): void {
  const oci = toOciSeccomp(profile, target);
  assert.ok(oci);
  const installed = installedFilter(runtime, oci);
  const { filter } = resolveProfile(profile, target);
  const counts = { compared: 0, newer: 0 };
  for (const architecture of filteredArchitectures(profile, target).map(architectureOf)) {
    const rules = filter.architectures.find((entry) => entry.auditArchitecture === architecture.auditArchitecture);
    assert.ok(rules);
    for (const data of callsOf(architecture, rules)) {
      const meant = evaluate(filter, data);
      const { action } = simulate(installed, data);
      counts.compared += 1;
      if (action === meant) continue;
      // runc goes by number, pycri by kernel release: both deny, and only to calls that the profile does not name.
      if (runtime === "runc" && action === SECCOMP_RET_ERRNO + ENOSYS && isNewerThanNamed(architecture, data, oci)) {
        counts.newer += 1;
        continue;
      }
      if (causeOf(oci, rules, architecture, data) === null)
        assert.fail(
          `${describeCall(architecture, data)}: ${runtime} ${formatAction(action)}, pycri ${formatAction(meant)}`,
        );
    }
  }
  assert.ok(counts.compared > 500, `only ${counts.compared} calls were compared`);
}
