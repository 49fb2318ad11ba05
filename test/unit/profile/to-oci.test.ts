/** A profile as OCI JSON: another runtime, or pycri reading it again, decides as pycri does. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { builtinProfile } from "../../../src/profile/builtin-profiles.ts";
import { parseProfile } from "../../../src/profile/parse-profile.ts";
import type { Profile } from "../../../src/profile/profile.ts";
import { resolveProfile, type ResolveTarget } from "../../../src/profile/resolve-profile.ts";
import { toOciSeccomp } from "../../../src/profile/to-oci.ts";
import { foreignProfile, foundForeignProfiles, skipWithoutContainersCommon } from "../../support/foreign-profiles.ts";
import { shapesProfile } from "../../support/shapes-profile.ts";

const profiles: readonly (readonly [string, Profile | null])[] = [
  ["default", builtinProfile("default")],
  ["baseline", builtinProfile("baseline")],
  ["a profile of every shape", shapesProfile],
  ["containers-common", foreignProfile("containers-common")],
  ...foundForeignProfiles("moby-default", "runc-syscall-test1", "runc-syscall-test2"),
];

describe("what is written is what was read", () => {
  for (const [name, profile] of profiles)
    test(name, (context) => {
      if (profile === null) {
        skipWithoutContainersCommon(context);
        return;
      }
      for (const native of ["x86_64", "aarch64", "s390x", "mips64"] as const) {
        const target: ResolveTarget = { native, capabilities: ["CAP_SYS_ADMIN"], kernel: { major: 5, minor: 10 } };
        const oci = toOciSeccomp(profile, target);
        const again = parseProfile(JSON.parse(JSON.stringify(oci)));
        const calls = (one: Profile): unknown =>
          resolveProfile(one, target).filter.architectures.map(({ auditArchitecture, calls, defaultAction }) => ({
            auditArchitecture,
            calls,
            defaultAction,
          }));
        assert.deepEqual(calls(again), calls(profile), native);
      }
    });

  test("data beyond 2^53, masks, flags and the listener", () => {
    const document = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/listener",
      listenerMetadata: "data",
      syscalls: [
        {
          names: ["personality"],
          action: "SCMP_ACT_TRACE",
          errnoRet: 7,
          args: [{ index: 1, value: "18446744073709551615", valueTwo: 16, op: "SCMP_CMP_MASKED_EQ" }],
        },
        { names: ["mount"], action: "SCMP_ACT_NOTIFY" },
      ],
    };
    const target: ResolveTarget = { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } };
    assert.deepEqual(JSON.parse(JSON.stringify(toOciSeccomp(parseProfile(document), target))), document);
  });

  test("nothing for a profile that confines nothing", () => {
    assert.equal(
      toOciSeccomp(builtinProfile("unconfined"), {
        native: "x86_64",
        capabilities: [],
        kernel: { major: 6, minor: 1 },
      }) === undefined,
      !builtinProfile("unconfined").confined,
    );
    assert.equal(
      toOciSeccomp(parseProfile({}), { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } }),
      undefined,
    );
  });
});
