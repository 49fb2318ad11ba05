/** What a profile's program costs: the use case behind `pycri seccomp compile --format cost`. */
import type { ProfileWarning } from "../../profile/profile.ts";
import { analyseProgram } from "../../seccomp/compile.ts";
import { type CostModel, costModel, formatCostModel } from "../../seccomp/cost-model.ts";
import { architectureText, compileNamed, namesOfCall } from "./compile-named.ts";
import { type CompileProfileOptions, compileOptions } from "./compile-profile.ts";
import { type FilterSource, loadFilter } from "./load-filter.ts";

export interface ProfileCost extends CostModel {
  readonly warnings: readonly ProfileWarning[];
}

/**
 * By the compiler's own count: what the program executes, what each rewrite saves, which calls the kernel answers from its
 * bitmap, and what attaching takes.
 * @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT or IO
 */
export function profileCost(source: FilterSource, options: CompileProfileOptions = {}): ProfileCost {
  const { filter, architectures, warnings } = loadFilter(source, options);
  const compiler = { compile: compileNamed, analyse: analyseProgram };
  return { ...costModel(compiler, filter, compileOptions(options, architectures)), warnings };
}

/** The model as a table, calls by their names. One line each, without a newline at the end. */
export function formatProfileCost(cost: ProfileCost): readonly string[] {
  return formatCostModel(cost, { architecture: architectureText, call: namesOfCall });
}
