/**
 * The differences between libseccomp's programs and pycri's meaning that `docs/seccomp-semantics.md` explains, recognised
 * by cause. Whatever is not recognised here is a failure of one of the two.
 */
import { SECCOMP_RET_KILL_THREAD } from "../../src/profile/action.ts";
import { type Architecture, type ArchitectureName, X32_SYSCALL_BIT } from "../../src/profile/architectures.ts";
import { multiplexedCalls, selectorMask } from "../../src/profile/multiplexers.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import type { OciSeccomp } from "../../src/profile/to-oci.ts";
import type { ArchitectureRules, SeccompData } from "../../src/seccomp/filter.ts";
import { namesOfNumbers } from "./libseccomp.ts";

/** As the headings of the documentation. */
export type Cause =
  | "ENOSYS for newer calls"
  | "calls that libseccomp does not know"
  | "two names with one pseudo-number"
  | "bits of a selector that the kernel ignores"
  | "conditions inside of a multiplexer"
  | "calls that only a multiplexer has";

/** libseccomp (2.5.4, 2.6.0) gives both names one pseudo-number, so that a rule for one filters the other. */
const CLASHING_NAMES: ReadonlySet<string> = new Set(["sys_debug_setcontext", "switch_endian"]);

/** For failure messages. */
export function describeCall(architecture: Architecture, { number, args }: SeccompData): string {
  const words = args.map((value) => `0x${value.toString(16)}`).join(", ");
  return `${architecture.name} ${callNames(architecture, number).join("/")} ${number}(${words})`;
}

/** The documented cause for which libseccomp's answer to a call may differ from pycri's; null when there is none. */
export function causeOf(
  oci: OciSeccomp,
  rules: ArchitectureRules,
  architecture: Architecture,
  data: SeccompData,
): Cause | null {
  const names = callNames(architecture, data.number);
  const range = rules.ranges.find(({ first, last }) => first <= data.number && data.number <= last);
  const isRefused = range?.action === SECCOMP_RET_KILL_THREAD;
  if (range !== undefined && !isRefused && !rules.calls.some(({ number }) => number === data.number))
    return "ENOSYS for newer calls";
  if (names.length > 0 && !libseccompKnows(architecture, data.number)) return "calls that libseccomp does not know";
  if (names.some((name) => CLASHING_NAMES.has(name))) return "two names with one pseudo-number";
  const carrier = (["socketcall", "ipc"] as const).find((name) => names.includes(name));
  return carrier === undefined ? null : causeInside(carrier, oci, architecture, data.args[0]);
}

function causeInside(
  carrier: "socketcall" | "ipc",
  oci: OciSeccomp,
  architecture: Architecture,
  first: bigint,
): Cause | null {
  const compared = BigInt.asUintN(architecture.argumentBits, first);
  const selector = compared & selectorMask[carrier];
  const [carried] =
    [...multiplexedCalls].find(([, call]) => call.multiplexer === carrier && BigInt(call.selector) === selector) ?? [];
  if (carried === undefined) return null;
  if (selector !== compared) return "bits of a selector that the kernel ignores";
  const conditional = (oci.syscalls ?? []).some(
    (rule) => rule.names.includes(carried) && rule.args !== undefined && rule.args.length > 0,
  );
  if (conditional) return "conditions inside of a multiplexer";
  return syscallTable(architecture.name).numbers.has(carried) ? null : "calls that only a multiplexer has";
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

/** runc's own criterion: the number is above every one that the profile names and the installed libseccomp knows. */
export function isNewerThanNamed(architecture: Architecture, { number }: SeccompData, oci: OciSeccomp): boolean {
  const name = tableOf(architecture, number);
  const { numbers } = syscallTable(name);
  const named = (oci.syscalls ?? [])
    .flatMap((rule) => rule.names)
    .map((call) => numbers.get(call))
    .filter((call) => call !== undefined && libseccompKnows(architecture, call));
  return named.every((call) => call === undefined || call < number);
}
