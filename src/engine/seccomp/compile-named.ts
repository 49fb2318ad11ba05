/** Compilation whose errors name calls by name: the compiler knows numbers only. */
import { RuntimeError } from "../../errors.ts";
import { type Architecture, architectures, X32_SYSCALL_BIT } from "../../profile/architectures.ts";
import { syscallTable } from "../../profile/syscall-tables.ts";
import { type CompiledFilter, compileFilter, type CompileOptions } from "../../seccomp/compile.ts";
import type { Filter } from "../../seccomp/filter.ts";

/** An entry of `details.costliest`. */
interface CallCost {
  readonly architecture: number;
  readonly number: number;
  readonly instructions: number;
}

/** @throws RuntimeError INVALID_PROFILE; above the kernel's limit the hint names the calls whose checks are longest */
export function compileNamed(filter: Filter, options?: CompileOptions): CompiledFilter {
  try {
    return compileFilter(filter, options);
  } catch (error) {
    if (!(error instanceof RuntimeError) || !Array.isArray(error.details["costliest"])) throw error;
    const costs = (error.details["costliest"] as readonly CallCost[]).map(
      (cost) => `${callName(cost)} (${cost.instructions} instructions)`,
    );
    throw new RuntimeError(error.code, error.message, {
      hint: `shorten the rules of the calls that cost most: ${costs.join(", ")}`,
      details: error.details,
      cause: error,
    });
  }
}

/** The architecture of a call, which for x86_64's AUDIT_ARCH value depends on the number. */
export function architectureOfCall(auditArchitecture: number, number: number): Architecture | undefined {
  const candidates = [...architectures.values()].filter((entry) => entry.auditArchitecture === auditArchitecture);
  return candidates.find(({ name }) => (name === "x32") === number >= X32_SYSCALL_BIT) ?? candidates[0];
}

/** Every name of a call, or undefined for a number that no call has. */
export function namesOfCall(auditArchitecture: number, number: number): string | undefined {
  const architecture = architectureOfCall(auditArchitecture, number);
  return architecture === undefined ? undefined : syscallTable(architecture.name).names.get(number)?.join("/");
}

export function architectureText(auditArchitecture: number, number = 0): string {
  return architectureOfCall(auditArchitecture, number)?.name ?? `0x${auditArchitecture.toString(16)}`;
}

function callName({ architecture, number }: CallCost): string {
  return `${namesOfCall(architecture, number) ?? number} of ${architectureText(architecture, number)}`;
}
