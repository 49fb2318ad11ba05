/**
 * Warnings of a launch as data, for a caller that reads events: the plan without the operations that would write them to
 * stderr, and what a fallback event means in their words.
 */

import type { LaunchPlan, OperationFailure } from "./launch-plan.ts";
import type { ContainerOperation } from "./operations.ts";

/** In the place of a warning, so that every index stays what it is. */
const NOTHING: ContainerOperation = { op: "attempt", first: 0, otherwise: 0 };

/** The plan with no word of its own on stderr. */
export function withoutWarnings(plan: LaunchPlan): LaunchPlan {
  return { ...plan, container: plan.container.map((operation) => (operation.op === "warn" ? NOTHING : operation)) };
}

/** What the alternative of the operation that failed would have said. */
export function warningsOfFallback({ container }: LaunchPlan, { section, index }: OperationFailure): readonly string[] {
  if (section !== "container") return [];
  let innermost: readonly ContainerOperation[] = [];
  for (const [at, operation] of container.entries()) {
    if (operation.op !== "attempt") continue;
    const firstEnd = at + 1 + operation.first;
    // Later ones that hold the operation lie within earlier ones.
    if (at < index && index < firstEnd) innermost = container.slice(firstEnd, firstEnd + operation.otherwise);
  }
  return innermost.flatMap((operation) => (operation.op === "warn" ? [operation.message] : []));
}
