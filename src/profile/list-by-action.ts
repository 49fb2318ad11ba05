/** Which calls a resolved filter decides how, per architecture: the data behind `pycri seccomp list`. */
import type { Clause, Filter } from "../seccomp/filter.ts";
import { formatAction } from "./action-text.ts";
import { type ArchitectureName, architectures, X32_SYSCALL_BIT } from "./architectures.ts";
import { syscallTable } from "./syscall-tables.ts";

export interface ListedCall {
  readonly name: string;
  readonly number: number;
  /** In order; empty for a constant outcome. */
  readonly clauses: readonly Clause[];
  /** The outcome when no clause matches. */
  readonly otherwise: number;
}

export interface ArchitectureListing {
  readonly architecture: ArchitectureName;
  readonly defaultAction: number;
  /** Calls of the table by outcome, in order of number: the action's text → calls with that constant outcome. */
  readonly constant: ReadonlyMap<string, readonly ListedCall[]>;
  /** Calls whose arguments decide. */
  readonly conditional: readonly ListedCall[];
}

/** Every call of the kernel's table appears once: by its rule, else by its range, else by the default. */
export function listByAction(filter: Filter): readonly ArchitectureListing[] {
  return [...architectures.values()].flatMap((architecture) => {
    const section = filter.architectures.find(
      ({ auditArchitecture }) => auditArchitecture === architecture.auditArchitecture,
    );
    if (section === undefined) return [];
    const rules = new Map(section.calls.map((call) => [call.number, call]));
    const isX32 = architecture.name === "x32";
    // An x86_64 section without x32 refuses that whole half, which is not worth four hundred lines.
    const refusesHalf = section.ranges.some(({ first, last }) =>
      isX32 ? first === X32_SYSCALL_BIT && last >= 0xfffffffe : first === 0 && last === X32_SYSCALL_BIT - 1,
    );
    if (refusesHalf && (isX32 || architecture.name === "x86_64")) return [];

    const constant = new Map<string, ListedCall[]>();
    const conditional: ListedCall[] = [];
    for (const [number, names] of syscallTable(architecture.name).names) {
      const rule = rules.get(number);
      const range = section.ranges.find(({ first, last }) => first <= number && number <= last);
      const listed: ListedCall = {
        name: names.join("/"),
        number,
        clauses: rule?.clauses ?? [],
        otherwise: rule?.otherwise ?? range?.action ?? section.defaultAction,
      };
      if (listed.clauses.length > 0) conditional.push(listed);
      else {
        const text = formatAction(listed.otherwise, architecture.name);
        const group = constant.get(text);
        if (group === undefined) constant.set(text, [listed]);
        else group.push(listed);
      }
    }
    return [{ architecture: architecture.name, defaultAction: section.defaultAction, constant, conditional }];
  });
}
