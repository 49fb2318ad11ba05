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

function callName({ architecture, number }: CallCost): string {
  const found = architectureOfCall(architecture, number);
  if (found === undefined) return `${number} of 0x${architecture.toString(16)}`;
  return `${syscallTable(found.name).names.get(number)?.join("/") ?? number} of ${found.name}`;
}
