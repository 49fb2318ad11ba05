/**
 * The differences between libseccomp's programs and pycri's meaning that `docs/seccomp-semantics.md` explains, recognised
 * by cause. Whatever is not recognised here is a failure of one of the two.
 */
import { type Architecture, type ArchitectureName, X32_SYSCALL_BIT } from "../../src/profile/architectures.ts";
import { multiplexedCalls } from "../../src/profile/multiplexers.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import type { OciSeccomp } from "../../src/profile/to-oci.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { ArchitectureRules, Filter, SeccompData } from "../../src/seccomp/filter.ts";
import { namesOfNumbers } from "./libseccomp.ts";

/** libseccomp (2.5.4, 2.6.0) gives both names one pseudo-number, so that a rule for one filters the other. */
const CLASHING_NAMES: ReadonlySet<string> = new Set(["sys_debug_setcontext", "switch_endian"]);

/** For failure messages. */
export function describeCall(architecture: Architecture, { number, args }: SeccompData): string {
  const words = args.map((value) => `0x${value.toString(16)}`).join(", ");
  return `${architecture.name} ${callNames(architecture, number).join("/")} ${number}(${words})`;
}

/** Whether a difference between libseccomp's answer and `filter` has one of the documented causes. */
export function isDocumented(
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
