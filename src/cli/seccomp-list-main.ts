/** The code behind `pycri seccomp list`. */

import { listCalls } from "../engine/seccomp/list-calls.ts";
import { formatAction } from "../profile/action-text.ts";
import type { ArchitectureListing, ListedCall } from "../profile/list-by-action.ts";
import type { Comparison } from "../seccomp/filter.ts";
import type { Invocation } from "./command.ts";
import { writeJson, writeOutput } from "./output.ts";
import type { ListValues } from "./seccomp-list.ts";
import { filterOptionsOf, printWarnings, requiredOperand, sourceOf } from "./seccomp-options.ts";

const WIDTH = 100;

export function execute({ values, operands }: Invocation<ListValues>): number {
  const { architectures, warnings } = listCalls(
    sourceOf(requiredOperand(operands, 0, "PROFILE")),
    filterOptionsOf(values),
  );
  printWarnings(warnings);
  if (values.json === true) writeJson(architectures.map(toJson));
  else if (architectures.length === 0) writeOutput("No call is filtered.\n");
  else writeOutput(architectures.map(render).join("\n"));
  return 0;
}

function render(listing: ArchitectureListing): string {
  const { architecture } = listing;
  const groups = [...listing.constant]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([action, calls]) => `${action} (${calls.length})\n${wrap(calls.map(({ name }) => name))}`);
  const conditional = listing.conditional.map((call) => renderConditional(call, listing));
  const depends = conditional.length === 0 ? [] : [`by arguments (${conditional.length})\n${conditional.join("")}`];
  const otherwise = `anything else: ${formatAction(listing.defaultAction, architecture)}\n`;
  return `# ${architecture}\n${[...groups, ...depends, otherwise].join("")}`;
}

function renderConditional({ name, clauses, otherwise }: ListedCall, { architecture }: ArchitectureListing): string {
  const lines = clauses.map(
    ({ comparisons, action }) =>
      `    ${formatAction(action, architecture)} when ${comparisons.map(formatComparison).join(" and ")}\n`,
  );
  return `  ${name}\n${lines.join("")}    ${formatAction(otherwise, architecture)} otherwise\n`;
}

const SIGNS = { NE: "!=", LT: "<", LE: "<=", EQ: "==", GE: ">=", GT: ">" } as const;

function formatComparison({ index, operator, value, mask }: Comparison): string {
  const datum = `0x${value.toString(16)}`;
  return operator === "MASKED_EQ"
    ? `a${index} & 0x${mask.toString(16)} == ${datum}`
    : `a${index} ${SIGNS[operator]} ${datum}`;
}

function wrap(words: readonly string[]): string {
  let text = "";
  let line = " ";
  for (const word of words) {
    if (line.length + 1 + word.length > WIDTH) {
      text += `${line}\n`;
      line = " ";
    }
    line += ` ${word}`;
  }
  return `${text}${line}\n`;
}

function toJson({ architecture, defaultAction, constant, conditional }: ArchitectureListing): object {
  return {
    architecture,
    defaultAction: formatAction(defaultAction, architecture),
    calls: Object.fromEntries(
      [...constant].map(([action, calls]) => [action, calls.map(({ name, number }) => ({ name, number }))]),
    ),
    conditional: conditional.map(({ name, number, clauses, otherwise }) => ({
      name,
      number,
      clauses: clauses.map((clause) => ({
        action: formatAction(clause.action, architecture),
        comparisons: clause.comparisons.map(formatComparison),
      })),
      otherwise: formatAction(otherwise, architecture),
    })),
  };
}
