/**
 * The cost model in print: what a program costs by the compiler's own count, what each rewrite is worth in it, and what
 * the kernel makes of it: which calls are free, which run the filter, what attaching takes.
 */

import {
  type ArchitectureOutcomes,
  type CompiledFilter,
  type CompileOptions,
  type Rewrite,
  REWRITES,
} from "./compilation.ts";
import type { Compiler } from "./compiler.ts";
import type { Filter } from "./filter.ts";

export interface Cost {
  readonly instructions: number;
  /** Executed instructions, see `Measure`. */
  readonly weighted: number;
  readonly uniform: number;
  readonly worst: number;
}

export interface CostModel {
  readonly cost: Cost;
  /** What the program would cost without one of the rewrites, in the order in which they are applied. */
  readonly without: ReadonlyMap<Rewrite, Cost>;
  readonly outcomes: readonly ArchitectureOutcomes[];
}

/** Compiles a filter once, and once without each rewrite that `options` leaves in. */
export function costModel(compiler: Compiler, filter: Filter, options: CompileOptions = {}): CostModel {
  const { without = [] } = options;
  const compiled = compiler.compile(filter, options);
  const applied = REWRITES.filter((rewrite) => !without.includes(rewrite));
  return {
    cost: costOf(compiled),
    without: new Map(
      applied.map((rewrite) => [
        rewrite,
        costOf(compiler.compile(filter, { ...options, verify: false, without: [...without, rewrite] })),
      ]),
    ),
    outcomes: compiler.analyse(
      compiled.program,
      filter.architectures.map(({ auditArchitecture }) => auditArchitecture),
    ),
  };
}

function costOf({ instructionCount, measure }: CompiledFilter): Cost {
  return { instructions: instructionCount, ...measure };
}

/** A table, one line each, without a newline at the end. */
export function formatCostModel({ cost, without, outcomes }: CostModel): readonly string[] {
  const row = (name: string, { instructions, weighted, uniform, worst }: Cost): string =>
    [
      name.padEnd(28),
      String(instructions).padStart(12),
      weighted.toFixed(2).padStart(10),
      uniform.toFixed(2).padStart(9),
      String(worst).padStart(7),
    ].join("");
  return [
    `${"".padEnd(28)}instructions  weighted  uniform  worst`,
    row("all rewrites", cost),
    ...[...without].map(([rewrite, other]) => row(`without ${rewrite}`, other)),
    ...outcomes.map(({ architecture, outcomes: ranges, attachInstructions }) => {
      const numbers = (cached: boolean): string =>
        ranges
          .filter((range) => range.cached === cached && range.last < TABLE_END)
          .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
          .join(" ");
      return (
        `0x${architecture.toString(16)}: attaching emulates ${attachInstructions} instructions; ` +
        `free: ${numbers(true) || "none"}; run the filter: ${numbers(false) || "none"}`
      );
    }),
  ];
}

/** Numbers beyond are in no kernel's table. */
const TABLE_END = 4096;
