/** What the shipped profiles promise of themselves, held against the profile they promise it of and against their calls. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { architectureOf, architectures } from "../../../src/profile/architectures.ts";
import { builtinDocument, builtinProfile } from "../../../src/profile/builtin-profiles.ts";
import { parseProfile } from "../../../src/profile/parse-profile.ts";
import { evaluate } from "../../../src/seccomp/evaluate.ts";
import type { Filter } from "../../../src/seccomp/filter.ts";
import { formatAction } from "../../../src/profile/action-text.ts";
import { syscallTable } from "../../../src/profile/syscall-tables.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../../src/profile/resolve-profile.ts";
import {
  CAPABILITIES,
  decisionsOf,
  decisionTargets,
  digestsOf,
  likeDocker,
  type DockerDecisions,
  noteFile,
  sha256,
} from "../../support/docker-decisions.ts";
import { foreignProfile, foreignProfileText, foundForeignProfiles } from "../../support/foreign-profiles.ts";

const AF_ALG = 38n;
const AF_VSOCK = 40n;
/** Of Linux 7.1. */
const AF_MAX = 46n;

for (const name of ["default", "ci"] as const)
  test(`${name} lets every socket family of a kernel through but two, by the bits that the kernel reads`, () => {
    const target: ResolveTarget = { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } };
    const { filter } = resolveProfile(builtinProfile(name), target);
    const socket = (family: bigint): string =>
      formatAction(
        evaluate(filter, {
          number: 41,
          architecture: 0xc000003e,
          instructionPointer: 0n,
          args: [family, 0n, 0n, 0n, 0n, 0n],
        }),
      );
    for (let family = 0n; family < AF_MAX; family++)
      for (const ignored of [0n, 1n << 32n, 0xffffffffn << 32n])
        assert.equal(
          socket(family | ignored),
          family === AF_ALG || family === AF_VSOCK ? "errno(EPERM)" : "allow",
          `family ${family}, ignored bits 0x${ignored.toString(16)}`,
        );
  });

for (const [name, profile] of [
  ["Docker's comparisons take", likeDocker] as const,
  ...foundForeignProfiles("moby-default").map(([name, found]) => [`${name} takes`, found] as const),
])
  test(`control: ${name} all 64 bits, which lets AF_VSOCK through with one that the kernel ignores`, () => {
    const { filter } = resolveProfile(profile, { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } });
    const answers = [AF_VSOCK, AF_VSOCK | (1n << 32n)].map((family) =>
      formatAction(
        evaluate(filter, {
          number: 41,
          architecture: 0xc000003e,
          instructionPointer: 0n,
          args: [family, 0n, 0n, 0n, 0n, 0n],
        }),
      ),
    );
    assert.deepEqual(answers, ["errno(EPERM)", "allow"]);
  });

describe("default, with Docker's comparisons for socket, decides as Docker's profile does, with every capability alone, all and none, before and after 4.8", () => {
  const note = JSON.parse(readFileSync(noteFile, "utf8")) as DockerDecisions;
  const docker = foreignProfile("moby-default");

  test("by the digests of its decisions", () => {
    assert.equal(Object.keys(note.decisions).length, architectures.size * (CAPABILITIES.length + 2) * 2);
    assert.deepEqual(digestsOf(likeDocker), note.decisions);
  });

  test("default differs from them in socket alone", () => {
    const ours = builtinProfile("default");
    for (const [name, target] of decisionTargets) {
      const sockets = filteredArchitectures(ours, target).map(
        (architecture) =>
          `${architectureOf(architecture).auditArchitecture} ${syscallTable(architecture).numbers.get("socket")}`,
      );
      const withoutSocket = ({ architectures: sections, ...rest }: Filter): unknown => ({
        ...rest,
        sections: sections.map(({ calls, ...section }) => ({
          ...section,
          calls: calls.filter(({ number }) => !sockets.includes(`${section.auditArchitecture} ${number}`)),
        })),
      });
      assert.deepEqual(withoutSocket(decisionsOf(ours, target)), withoutSocket(decisionsOf(likeDocker, target)), name);
    }
  });

  test("control: one call more on one architecture changes its digests alone", () => {
    const document = builtinDocument("default") as { readonly syscalls: readonly object[] };
    const more = parseProfile({
      ...document,
      syscalls: [
        ...document.syscalls,
        { names: ["acct"], action: "SCMP_ACT_ALLOW", includes: { arches: ["s390x"] }, excludes: { minKernel: "5.0" } },
      ],
    });
    const before = digestsOf(builtinProfile("default"));
    const changed = Object.entries(digestsOf(more)).filter(([target, digest]) => before[target] !== digest);
    // Whoever has CAP_SYS_PACCT may call it anyway.
    const held = ["no capability", ...CAPABILITIES].filter((name) => name !== "CAP_SYS_PACCT");
    assert.deepEqual(
      changed.map(([target]) => target),
      held.map((name) => `s390x, ${name}, 4.7`),
    );
  });

  const skip = docker === null && "PYCRI_PROFILES names no directory with a moby-default.json";

  test("decision by decision", { skip }, () => {
    assert.ok(docker !== null);
    for (const [name, target] of decisionTargets)
      assert.deepEqual(decisionsOf(likeDocker, target), decisionsOf(docker, target), name);
  });

  test("the digests are those of the profile", { skip }, () => {
    assert.ok(docker !== null);
    const stale = "run scripts/note-docker-decisions.ts";
    assert.equal(sha256(foreignProfileText("moby-default") ?? ""), note.sha256, stale);
    assert.deepEqual(digestsOf(docker), note.decisions, stale);
  });
});

/** Calls that reach out of a container, or into parts of the kernel that ordinary programs never need. */
const REACHING_OUT =
  "mount umount umount2 pivot_root setns ptrace process_vm_writev bpf perf_event_open kexec_load init_module finit_module delete_module reboot open_by_handle_at keyctl add_key request_key userfaultfd swapon acct".split(
    " ",
  );

for (const name of ["baseline", "strict"] as const)
  test(`${name} refuses what reaches out, on every architecture and through its relatives`, () => {
    let compared = 0;
    for (const native of architectures.keys()) {
      const profile = builtinProfile(name);
      const target: ResolveTarget = { native, capabilities: CAPABILITIES, kernel: { major: 6, minor: 1 } };
      const { filter } = resolveProfile(profile, target);
      assert.equal(filter.unknownArchitecture, 0);
      for (const architecture of filteredArchitectures(profile, target).map(architectureOf)) {
        const { numbers } = syscallTable(architecture.name);
        for (const call of REACHING_OUT) {
          const number = numbers.get(call);
          if (number === undefined) continue;
          const action = evaluate(filter, {
            number,
            architecture: architecture.auditArchitecture,
            instructionPointer: 0n,
            args: [1n, 1n, 1n, 1n, 1n, 1n],
          });
          assert.equal(formatAction(action), "errno(EPERM)", `${call} of ${architecture.name} on ${native}`);
          compared += 1;
        }
      }
    }
    assert.ok(compared > 500, `only ${compared} calls were compared`);
  });
