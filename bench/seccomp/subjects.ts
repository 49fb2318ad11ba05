/**
 * What is measured: `default`, a list full of comparisons, and well-known profiles of other projects where they are found,
 * each as a filter and as `linux.seccomp` for libseccomp, and the mix of calls that programs make: `call-mix.tsv`, the mean
 * of nine workloads on x86_64. Firecracker's filters come in the dialect of its own compiler, which is read here.
 */
import { readFileSync } from "node:fs";
import { type Architecture, type ArchitectureName, architectureOf } from "../../src/profile/architectures.ts";
import { builtinProfile } from "../../src/profile/builtin-profiles.ts";
import { parseRules, type RuleComparisonDocument, type RuleListDocument } from "../../src/profile/parse-rules.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { resolveProfile } from "../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { type OciSeccomp, toOciSeccomp } from "../../src/profile/to-oci.ts";
import type { CallWeight } from "../../src/seccomp/compilation.ts";
import type { Filter } from "../../src/seccomp/filter.ts";
import { likeDocker } from "../../test/support/docker-decisions.ts";
import { type ForeignProfileName, foreignProfile, foreignProfileText } from "../../test/support/foreign-profiles.ts";
import { repository } from "../../test/support/repository.ts";

export interface Subject {
  readonly name: string;
  /** The one whose calls are counted. */
  readonly architecture: Architecture;
  readonly filter: Filter;
  readonly oci: OciSeccomp;
  /** How often programs make each of its calls. */
  readonly weights: readonly CallWeight[];
}

const data = `${repository}/test/data`;

/** New enough for every call that the tables know. */
const KERNEL = { major: 6, minor: 18 };

const mix: ReadonlyMap<string, number> = new Map(
  readFileSync(`${data}/call-mix.tsv`, "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [name = "", weight] = line.split("\t");
      return [name, Number(weight)];
    }),
);

function weightsOf(name: ArchitectureName): CallWeight[] {
  const { auditArchitecture } = architectureOf(name);
  const { numbers } = syscallTable(name);
  return [...mix]
    .flatMap(([call, weight]) => {
      const number = numbers.get(call);
      return number === undefined ? [] : [{ architecture: auditArchitecture, number, weight }];
    })
    .sort((a, b) => a.number - b.number);
}

function profileSubject(
  name: string,
  profile: Profile,
  architectures: readonly [ArchitectureName, ...ArchitectureName[]],
): Subject {
  const [native] = architectures;
  const target = { native, architectures, capabilities: [], kernel: KERNEL };
  const oci = toOciSeccomp(profile, target);
  if (oci === undefined) throw new Error(`${name} confines nothing`);
  return {
    name: `${name} ${architectures.join("+")}`,
    architecture: architectureOf(native),
    filter: resolveProfile(profile, target).filter,
    oci,
    weights: weightsOf(native),
  };
}

const OCI_OPERATORS: Readonly<Record<RuleComparisonDocument["op"], string>> = {
  "==": "SCMP_CMP_EQ",
  "!=": "SCMP_CMP_NE",
  "<": "SCMP_CMP_LT",
  "<=": "SCMP_CMP_LE",
  ">": "SCMP_CMP_GT",
  ">=": "SCMP_CMP_GE",
  "&==": "SCMP_CMP_MASKED_EQ",
};

/** @param list allows by call name and traps the rest, so that the order of its rules means nothing */
function rulesSubject(name: string, list: RuleListDocument, architecture: ArchitectureName): Subject {
  if (list.default !== "trap") throw new Error(`${name}: default is ${list.default}`);
  return {
    name,
    architecture: architectureOf(architecture),
    filter: parseRules(list, architecture).filter,
    oci: {
      defaultAction: "SCMP_ACT_TRAP",
      architectures: [architectureOf(architecture).ociName],
      syscalls: list.rules.map(({ call, action, when = [] }) => {
        if (typeof call !== "string" || action !== "allow") throw new Error(`${name}: ${call} ${action}`);
        return {
          names: [call],
          action: "SCMP_ACT_ALLOW",
          args: when.map(({ argument, op, value, mask = 0 }) => ({
            index: argument,
            op: OCI_OPERATORS[op],
            ...(op === "&==" ? { value: String(mask), valueTwo: String(value) } : { value: String(value) }),
          })),
        };
      }),
    },
    weights: weightsOf(architecture),
  };
}

/** seccompiler's dialect, as far as the profile uses it. */
interface ThreadFilter {
  readonly default_action: string;
  readonly filter_action: string;
  readonly filter: readonly {
    readonly syscall: string;
    readonly args?: readonly {
      readonly index: number;
      readonly type: "dword" | "qword";
      readonly op: "eq" | { readonly masked_eq: number };
      readonly val: number;
    }[];
  }[];
}

const firecracker = foreignProfileText("firecracker-aarch64");

/**
 * None where Firecracker's filters are not found.
 * @param wide compare all 64 bits where the profile asks for the low 32, as the peers' figures were measured
 */
function threadSubjects(thread: string, wide: boolean): readonly Subject[] {
  if (firecracker === null) return [];
  const source = (JSON.parse(firecracker) as Readonly<Record<string, ThreadFilter>>)[thread];
  if (source === undefined) throw new Error(`there is no thread "${thread}"`);
  const rules = source.filter.map(({ syscall, args = [] }) => ({
    call: syscall,
    action: source.filter_action,
    when: args.map(({ index, type, op, val }) => {
      const bits = type === "qword" || wide ? 0xffffffffffffffffn : 0xffffffffn;
      return {
        argument: index,
        op: "&==" as const,
        value: val,
        mask: String(op === "eq" ? bits : BigInt(op.masked_eq) & bits),
      };
    }),
  }));
  const list = { architectures: ["aarch64"], default: source.default_action, rules };
  return [rulesSubject(`firecracker ${thread}${wide ? ", all 64 bits" : ""}`, list, "aarch64")];
}

function foreignSubjects(
  name: ForeignProfileName,
  architectures: readonly [ArchitectureName, ...ArchitectureName[]],
): readonly Subject[] {
  const profile = foreignProfile(name);
  return profile === null ? [] : [profileSubject(name, profile, architectures)];
}

const builtin = builtinProfile("default");

export const defaultSubject: Subject = profileSubject("default", builtin, ["x86_64", "x86", "x32"]);
/** What Docker's default profile decides, socket families included: the filter that peers were measured on. */
export const dockersDecisions: Subject = profileSubject("as Docker's", likeDocker, ["x86_64", "x86", "x32"]);
export const dockersDecisionsNative: Subject = profileSubject("as Docker's", likeDocker, ["x86_64"]);
export const vcpuThread: Subject = rulesSubject(
  "vcpu-thread",
  JSON.parse(readFileSync(`${data}/vcpu-thread.rules.json`, "utf8")) as RuleListDocument,
  "x86_64",
);
export const firecrackerVcpu: readonly Subject[] = threadSubjects("vcpu", true);

export const subjects: readonly Subject[] = [
  defaultSubject,
  profileSubject("default", builtin, ["x86_64"]),
  profileSubject("default", builtin, ["aarch64", "arm"]),
  dockersDecisions,
  dockersDecisionsNative,
  vcpuThread,
  ...foreignSubjects("moby-default", ["x86_64", "x86", "x32"]),
  ...foreignSubjects("moby-default", ["x86_64"]),
  ...foreignSubjects("containers-common", ["x86_64", "x86", "x32"]),
  ...foreignSubjects("containers-common", ["x86_64"]),
  ...foreignSubjects("jessfraz-chrome", ["x86_64"]),
  ...foreignSubjects("runc-syscall-test1", ["x86_64"]),
  ...foreignSubjects("runc-syscall-test2", ["x86_64"]),
  ...["vmm", "api", "vcpu"].flatMap((thread) => threadSubjects(thread, false)),
  ...firecrackerVcpu,
];
