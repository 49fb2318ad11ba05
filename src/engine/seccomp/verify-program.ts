/** Proves that a program, whoever compiled it, answers every call as a profile means it. */
import { formatAction } from "../../profile/action-text.ts";
import { architectureOf, type ArchitectureName } from "../../profile/architectures.ts";
import type { ProfileWarning } from "../../profile/profile.ts";
import { syscallTable } from "../../profile/syscall-tables.ts";
import { type CounterExample, proveFilter } from "../../seccomp/compile.ts";
import { type FilterOptions, type FilterSource, loadFilter } from "./load-filter.ts";
import { loadProgram, type ProgramSource } from "./load-program.ts";
import { architectureOfCall } from "./compile-named.ts";

export interface Difference extends CounterExample {
  /** Undefined for an AUDIT_ARCH value that pycri does not know. */
  readonly architecture: ArchitectureName | undefined;
  /** "" for a number without a name. */
  readonly name: string;
  /** What the profile means, and what the program answers. */
  readonly expectedText: string;
  readonly actualText: string;
}

export type Verification =
  | { readonly verdict: "proven" }
  | { readonly verdict: "refuted"; readonly difference: Difference }
  /** `instruction` computes what the proof cannot follow; null: it would take too much memory. */
  | { readonly verdict: "undecided"; readonly instruction: number | null };

/**
 * @param program a raw `struct sock_filter[]` or its path, in the byte order of the profile's native architecture
 * @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT, INVALID_DOCUMENT or IO
 */
export function verifyProgram(
  source: FilterSource,
  program: ProgramSource,
  options: FilterOptions = {},
): { readonly verification: Verification; readonly warnings: readonly ProfileWarning[] } {
  const { filter, architectures: listed, warnings } = loadFilter(source, options);
  const [native] = listed;
  const isBigEndian = native !== undefined && architectureOf(native).bigEndian;
  const verdict = proveFilter(filter, loadProgram(program, isBigEndian ? "big" : "little"));
  if (verdict.verdict !== "refuted") return { verification: verdict, warnings };
  return { verification: { verdict: "refuted", difference: describe(verdict.counterExample) }, warnings };
}

function describe(counterExample: CounterExample): Difference {
  const { data, expected, actual } = counterExample;
  const found = architectureOfCall(data.architecture, data.number);
  return {
    ...counterExample,
    architecture: found?.name,
    name: found === undefined ? "" : (syscallTable(found.name).names.get(data.number)?.join("/") ?? ""),
    expectedText: actionText(expected, found?.name),
    actualText: actionText(actual, found?.name),
  };
}

function actionText(action: number, architecture: ArchitectureName | undefined): string {
  try {
    return formatAction(action, architecture);
  } catch {
    return `0x${action.toString(16).padStart(8, "0")}`;
  }
}
