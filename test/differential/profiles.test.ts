/**
 * Whole profiles beside libseccomp's program for the same rules, decision by decision: every number of every
 * architecture, arguments at and around every constant. What may differ is listed in `docs/seccomp-semantics.md` and
 * recognised here by its cause; everything else is a failure.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { formatAction } from "../../src/profile/action-text.ts";
import {
  type Architecture,
  type ArchitectureName,
  architectures,
  X32_SYSCALL_BIT,
} from "../../src/profile/architectures.ts";
import { builtinProfile, builtinProfileNames } from "../../src/profile/builtin-profiles.ts";
import { multiplexedCalls } from "../../src/profile/multiplexers.ts";
import { parseProfileText } from "../../src/profile/parse-profile.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { ArchitectureRules, Filter, SeccompData } from "../../src/seccomp/filter.ts";
import { prepareProgram, simulate } from "../../src/seccomp/simulate.ts";
import {
  compileWithLibseccomp,
  differentialTest,
  isBigEndian,
  knowsArchitecture,
  namesOfNumbers,
} from "./libseccomp.ts";
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

/** libseccomp up to 2.6 gives both names one pseudo-number, so that a rule for one filters the other. */
const CLASHING_NAMES: ReadonlySet<string> = new Set(["sys_debug_setcontext", "switch_endian"]);

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
      assert.equal(action, meant, `pycri's program on ${describe(architecture, data)}`);
      const { action: answered } = simulate(theirs.program, data, bigEndian);
      if (answered !== meant && !isDocumented(filter, rules, architecture, data))
        assert.fail(
          `${target.native} [${target.capabilities.join(" ")}] ${describe(architecture, data)}: ` +
            `libseccomp ${formatAction(answered)}, pycri ${formatAction(meant)}`,
        );
      compared += 1;
    }
  }
  assert.ok(compared > 500, `only ${compared} calls were compared`);
}

function describe(architecture: Architecture, { number, args }: SeccompData): string {
  const words = args.map((value) => `0x${value.toString(16)}`).join(", ");
  return `${architecture.name} ${callNames(architecture, number).join("/")} ${number}(${words})`;
}

/** The differences of docs/seccomp-semantics.md, by number there. */
function isDocumented(
  filter: Filter,
  rules: ArchitectureRules,
  architecture: Architecture,
  data: SeccompData,
): boolean {
  const names = callNames(architecture, data.number);
  // ENOSYS for newer calls is runc's addition and not libseccomp's; runc.test.ts compares it.
  const inRange = rules.ranges.some(({ first, last }) => first <= data.number && data.number <= last);
  if (inRange && !rules.calls.some(({ number }) => number === data.number)) return true;
  // The installed libseccomp is older than the call.
  if (names.length > 0 && !libseccompKnows(architecture, data.number)) return true;
  if (names.some((name) => CLASHING_NAMES.has(name))) return true;
  // Multiplexers: conditions are not dropped, and bits that the kernel ignores are ignored.
  if (names.includes("socketcall") || names.includes("ipc")) return true;
  return names.some((name) => multiplexedCalls.has(name)) && evaluate(filter, data) !== rules.defaultAction;
}

const knownNumbers = new Map<ArchitectureName, ReadonlySet<number>>();

function libseccompKnows(architecture: Architecture, number: number): boolean {
  const name = tableOf(architecture, number);
  let known = knownNumbers.get(name);
  if (known === undefined) {
    const numbers = [...syscallTable(name).names.keys()];
    const names = namesOfNumbers(numbers.map((entry) => [name, entry] as const));
    known = new Set(numbers.filter((_, index) => names[index] !== null));
    knownNumbers.set(name, known);
  }
  return known.has(number);
}

function callNames(architecture: Architecture, number: number): readonly string[] {
  return syscallTable(tableOf(architecture, number)).names.get(number) ?? [];
}

/** x86_64 and x32 share one AUDIT_ARCH value; the number tells them apart. */
function tableOf({ name }: Architecture, number: number): ArchitectureName {
  if (name !== "x86_64" && name !== "x32") return name;
  return number >= X32_SYSCALL_BIT ? "x32" : "x86_64";
}
