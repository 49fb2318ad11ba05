/**
 * A profile with what profiles in the wild have and the built-in ones do not: comment lines before the JSON, `name` beside
 * `names`, `null` and empty members, an errno by number and by name, refusals that `excludes` mirrors, `minKernel` on both
 * sides, single and several comparisons of every kind, and one argument compared twice in a rule. It lets through what
 * `default` does without conditions, so that a container starts under it.
 */
import { builtinDocument } from "../../src/profile/builtin-profiles.ts";
import { parseProfileText } from "../../src/profile/parse-profile.ts";
import type { Profile } from "../../src/profile/profile.ts";

/** With rules of their own below. */
const OWN = ["dup3", "ftruncate", "ftruncate64", "process_vm_readv", "process_vm_writev", "personality", "socket"];

interface PlainRule {
  readonly names: readonly string[];
  readonly args?: readonly unknown[];
  readonly includes?: object;
  readonly excludes?: object;
}

const everyday = (builtinDocument("default") as unknown as { readonly syscalls: readonly PlainRule[] }).syscalls
  .filter(({ args, includes, excludes }) => args === undefined && includes === undefined && excludes === undefined)
  .flatMap(({ names }) => names)
  .filter((name) => !OWN.includes(name));

const ALLOW = { action: "SCMP_ACT_ALLOW" };
const EPERM = { action: "SCMP_ACT_ERRNO", errnoRet: 1, errno: "EPERM" };

const document = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 38,
  defaultErrno: "ENOSYS",
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
    { architecture: "SCMP_ARCH_MIPS64", subArchitectures: null },
  ],
  syscalls: [
    { names: everyday, ...ALLOW, args: [], comment: "", includes: {}, excludes: {} },
    { name: "dup3", ...ALLOW, args: [{ index: 0, value: 5, valueTwo: 0, op: "SCMP_CMP_EQ" }] },
    {
      name: "dup3",
      ...ALLOW,
      args: [{ index: 0, value: 9, op: "SCMP_CMP_GE" }],
      comment: "one descriptor, or high ones",
    },
    {
      names: ["ftruncate", "ftruncate64"],
      ...ALLOW,
      args: [
        { index: 0, value: 40, op: "SCMP_CMP_LT" },
        { index: 1, value: 65536, op: "SCMP_CMP_LE" },
      ],
    },
    {
      names: ["process_vm_readv"],
      ...ALLOW,
      args: [
        { index: 0, value: 17, op: "SCMP_CMP_EQ" },
        { index: 0, value: 4711, op: "SCMP_CMP_EQ" },
      ],
    },
    {
      names: ["process_vm_writev"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 61,
      args: [
        { index: 0, value: 18, op: "SCMP_CMP_EQ" },
        { index: 0, value: 4712, op: "SCMP_CMP_EQ" },
      ],
    },
    ...[0, 8, 4294967295].map((value) => ({
      names: ["personality"],
      ...ALLOW,
      args: [{ index: 0, value, valueTwo: 0, op: "SCMP_CMP_EQ" }],
    })),
    {
      names: ["socket"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 22,
      errno: "EINVAL",
      args: [
        { index: 0, value: 16, op: "SCMP_CMP_EQ" },
        { index: 2, value: 9, op: "SCMP_CMP_EQ" },
      ],
      excludes: { caps: ["CAP_AUDIT_WRITE"] },
    },
    ...[
      { index: 2, value: 9 },
      { index: 0, value: 16 },
    ].map((comparison) => ({
      names: ["socket"],
      ...ALLOW,
      args: [{ ...comparison, op: "SCMP_CMP_NE" }],
      excludes: { caps: ["CAP_AUDIT_WRITE"] },
    })),
    { names: ["socket"], ...ALLOW, args: null, includes: { caps: ["CAP_AUDIT_WRITE"] }, excludes: {} },
    {
      names: ["clone"],
      ...ALLOW,
      args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      includes: { arches: null },
      excludes: { caps: ["CAP_SYS_ADMIN"], arches: ["s390", "s390x"] },
    },
    {
      names: ["clone"],
      ...ALLOW,
      args: [{ index: 1, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      comment: "the flags are s390's second argument",
      includes: { arches: ["s390", "s390x"] },
      excludes: { caps: ["CAP_SYS_ADMIN"] },
    },
    { names: ["clone", "bpf"], ...ALLOW, includes: { caps: ["CAP_SYS_ADMIN"] } },
    { names: ["bpf"], ...EPERM, excludes: { caps: ["CAP_SYS_ADMIN"] } },
    { names: ["ptrace"], ...ALLOW, includes: { minKernel: "4.8" } },
    { names: ["ptrace"], ...EPERM, excludes: { minKernel: "4.8" } },
    { names: ["arch_prctl", "modify_ldt"], ...ALLOW, includes: { arches: ["amd64", "x32", "x86"] } },
    {
      names: ["arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2"],
      ...ALLOW,
      includes: { arches: ["arm", "arm64"] },
    },
  ],
};

const text = `# A profile for tests.\n  # It confines little.\n${JSON.stringify(document, null, "\t")}\n`;

export const shapesProfile: Profile = parseProfileText(text);
