/** A launch plan as text, for `--dry-run`: what the helper's two halves do, in order. */

import { describeOperation, slotUses } from "../plan/describe-operation.ts";
import type { LaunchPlan } from "../plan/launch-plan.ts";
import type { Operation } from "../plan/operations.ts";

export function formatPlan(plan: LaunchPlan): string {
  const uses = slotUses(plan);
  const section = (title: string, operations: readonly Operation[]): string[] => [
    `${title}:`,
    ...operations.map((operation, index) => `${String(index).padStart(4)}  ${describeOperation(operation, uses)}`),
  ];
  return [
    ...section("monitor", plan.monitor),
    ...section("container", plan.container),
    ...section("cleanup", plan.cleanup),
    "",
  ].join("\n");
}
