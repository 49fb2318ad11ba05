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

/** What is asked of `Compiler`. */
export interface CostedCompiler {
  readonly compile: (filter: Filter, options: CompileOptions) => CompiledFilter;
  readonly analyse: (program: Uint8Array, architectures: readonly number[]) => readonly ArchitectureOutcomes[];
}

/** Compiles a filter once, and once without each rewrite that `options` leaves in. */
export function costModel(compiler: CostedCompiler, filter: Filter, options: CompileOptions = {}): CostModel {
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
    outcomes: compiler.analyse(compiled.program, [
      ...new Set(filter.architectures.map(({ auditArchitecture }) => auditArchitecture)),
    ]),
  };
}

function costOf({ instructionCount, measure }: CompiledFilter): Cost {
  return { instructions: instructionCount, ...measure };
}

/** How a printed model speaks of AUDIT_ARCH_* values and call numbers; undefined for a number that no call has. */
export interface Naming {
  readonly architecture: (auditArchitecture: number) => string;
  readonly call: (auditArchitecture: number, number: number) => string | undefined;
}

const NUMBERS: Naming = {
  architecture: (auditArchitecture) => `0x${auditArchitecture.toString(16)}`,
  call: () => undefined,
};

/** A table, one line each, without a newline at the end. */
export function formatCostModel({ cost, without, outcomes }: CostModel, naming: Naming = NUMBERS): readonly string[] {
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
    ...outcomes.flatMap(({ architecture, outcomes: ranges, attachInstructions }) => {
      const calls = (cached: boolean): string =>
        ranges
          .filter((range) => range.cached === cached && range.first < TABLE_END)
          .flatMap(({ first, last }) => namesOf(first, last, (number) => naming.call(architecture, number)))
          .join(" ");
      return [
        `${naming.architecture(architecture)}: attaching emulates ${attachInstructions} instructions`,
        `  free: ${calls(true) || "none"}`,
        `  run the filter: ${calls(false) || "none"}`,
      ];
    }),
  ];
}

/** Numbers from here on are in no kernel's table. */
const TABLE_END = 4096;

/** Consecutive numbers: calls by name, the others as ranges, of which one beyond the table has no end. */
function namesOf(first: number, last: number, nameOf: (number: number) => string | undefined): readonly string[] {
  const names: string[] = [];
  let unnamed = first;
  const endRange = (end: number): void => {
    if (unnamed <= end) names.push(unnamed === end ? `${end}` : `${unnamed}-${end < TABLE_END ? end : ""}`);
  };
  for (let number = first; number <= last && number < TABLE_END; number++) {
    const name = nameOf(number);
    if (name === undefined) continue;
    endRange(number - 1);
    names.push(name);
    unnamed = number + 1;
  }
  endRange(last);
  return names;
}
