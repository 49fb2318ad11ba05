/** What the shipped profiles promise of themselves, held against the profile they promise it of and against their calls. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { architectureOf, architectures } from "../../../src/profile/architectures.ts";
import { builtinProfile } from "../../../src/profile/builtin-profiles.ts";
import { parseProfileText } from "../../../src/profile/parse-profile.ts";
import { evaluate } from "../../../src/seccomp/evaluate.ts";
import type { Clause, Filter } from "../../../src/seccomp/filter.ts";
import { formatAction } from "../../../src/profile/action-text.ts";
import { syscallTable } from "../../../src/profile/syscall-tables.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../../src/profile/resolve-profile.ts";
import { repository } from "../../support/repository.ts";

const CAPABILITIES =
  "BPF DAC_READ_SEARCH PERFMON SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG"
    .split(" ")
    .map((name) => `CAP_${name}`);

/** Every call but socket(2), whose comparisons differ on purpose. */
function withoutSocket(filter: Filter | undefined): unknown {
  return filter?.architectures.map(({ calls, ...section }) => ({
    ...section,
    calls: calls.filter(({ clauses }) => !clauses.some(isAboutFamilies)),
  }));
}

/** Docker compares with 38 to 40, ours with masks for 32 and 36 among others. */
function isAboutFamilies({ comparisons }: Clause): boolean {
  return comparisons.some(({ value }) => value === 39n);
}

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

test("control: Docker's profile compares all 64 bits, and lets AF_VSOCK through with one that the kernel ignores", () => {
  const docker = parseProfileText(readFileSync(`${repository}/test/data/profiles/moby-default.json`, "utf8"));
  const { filter } = resolveProfile(docker, { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } });
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

describe("default", () => {
  test("decides every call but socket as Docker's profile does, with every capability alone, all and none, before and after 4.8", () => {
    const ours = builtinProfile("default");
    const docker = parseProfileText(readFileSync(`${repository}/test/data/profiles/moby-default.json`, "utf8"));
    let compared = 0;
    for (const native of architectures.keys())
      for (const capabilities of [[], CAPABILITIES, ...CAPABILITIES.map((name) => [name])])
        for (const kernel of [
          { major: 4, minor: 7 },
          { major: 6, minor: 1 },
        ]) {
          const target: ResolveTarget = { native, capabilities, kernel };
          const [left, right] = [ours, docker].map((profile) => resolveProfile(profile, target).filter);
          assert.deepEqual(
            withoutSocket(left),
            withoutSocket(right),
            `${native} ${capabilities.join(" ")} ${kernel.major}.${kernel.minor}`,
          );
          compared += 1;
        }
    assert.equal(compared, architectures.size * (CAPABILITIES.length + 2) * 2);
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
