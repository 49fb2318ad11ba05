/**
 * What is measured: well-known profiles, each as a filter and as `linux.seccomp` for libseccomp, and the mix of calls that
 * programs make. Firecracker's come in the dialect of its own compiler, which is read here.
 */
import { readFileSync } from "node:fs";
import { type Architecture, type ArchitectureName, architectureOf } from "../../src/profile/architectures.ts";
import { parseProfileText } from "../../src/profile/parse-profile.ts";
import { parseRules } from "../../src/profile/parse-rules.ts";
import { resolveProfile } from "../../src/profile/resolve-profile.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { type OciSeccomp, toOciSeccomp } from "../../src/profile/to-oci.ts";
import type { CallWeight } from "../../src/seccomp/compilation.ts";
import type { Filter } from "../../src/seccomp/filter.ts";
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

function profileSubject(file: string, architectures: readonly [ArchitectureName, ...ArchitectureName[]]): Subject {
  const [native] = architectures;
  const target = { native, architectures, capabilities: [], kernel: KERNEL };
  const profile = parseProfileText(readFileSync(`${data}/profiles/${file}.json`, "utf8"));
  const oci = toOciSeccomp(profile, target);
  if (oci === undefined) throw new Error(`${file} confines nothing`);
  return {
    name: `${file} ${architectures.join("+")}`,
    architecture: architectureOf(native),
    filter: resolveProfile(profile, target).filter,
    oci,
    weights: weightsOf(native),
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

/** @param wide compare all 64 bits where the profile asks for the low 32, as the peers' figures were measured */
function threadSubject(thread: string, wide: boolean): Subject {
  const threads = JSON.parse(readFileSync(`${data}/profiles/firecracker-aarch64.json`, "utf8")) as Readonly<
    Record<string, ThreadFilter>
  >;
  const source = threads[thread];
  if (source === undefined) throw new Error(`there is no thread "${thread}"`);
  const rules = source.filter.map(({ syscall, args = [] }) => ({
    syscall,
    comparisons: args.map(({ index, type, op, val }) => {
      const bits = type === "qword" || wide ? 0xffffffffffffffffn : 0xffffffffn;
      return { index, value: val, mask: op === "eq" ? bits : BigInt(op.masked_eq) & bits };
    }),
  }));
  return {
    name: `firecracker ${thread}${wide ? ", all 64 bits" : ""}`,
    architecture: architectureOf("aarch64"),
    filter: parseRules(
      {
        architectures: ["aarch64"],
        default: source.default_action,
        rules: rules.map(({ syscall, comparisons }) => ({
          call: syscall,
          action: source.filter_action,
          ...(comparisons.length === 0
            ? {}
            : {
                when: comparisons.map(({ index, value, mask }) => ({
                  argument: index,
                  op: "&==",
                  value,
                  mask: String(mask),
                })),
              }),
        })),
      },
      "aarch64",
    ).filter,
    oci: {
      defaultAction: "SCMP_ACT_TRAP",
      architectures: ["SCMP_ARCH_AARCH64"],
      syscalls: rules.map(({ syscall, comparisons }) => ({
        names: [syscall],
        action: "SCMP_ACT_ALLOW",
        args: comparisons.map(({ index, value, mask }) => ({
          index,
          op: "SCMP_CMP_MASKED_EQ",
          value: String(mask),
          valueTwo: value,
        })),
      })),
    },
    weights: weightsOf("aarch64"),
  };
}

export const dockerDefault: Subject = profileSubject("moby-default", ["x86_64", "x86", "x32"]);
export const dockerDefaultNative: Subject = profileSubject("moby-default", ["x86_64"]);
export const firecrackerVcpu: Subject = threadSubject("vcpu", true);

export const subjects: readonly Subject[] = [
  dockerDefault,
  dockerDefaultNative,
  profileSubject("moby-default", ["aarch64", "arm"]),
  profileSubject("containers-common", ["x86_64", "x86", "x32"]),
  profileSubject("containers-common", ["x86_64"]),
  profileSubject("jessfraz-chrome", ["x86_64"]),
  profileSubject("runc-syscall-test1", ["x86_64"]),
  profileSubject("runc-syscall-test2", ["x86_64"]),
  ...["vmm", "api", "vcpu"].map((thread) => threadSubject(thread, false)),
  firecrackerVcpu,
];
