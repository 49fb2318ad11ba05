/** What a launch's events say that went wrong: the failure itself, and what could not be cleaned up. */

import { RuntimeError } from "../errors.ts";
import { describeOperation, slotUses } from "../plan/describe-operation.ts";
import { errnoName } from "../plan/errno-names.ts";
import { explainFailure } from "../plan/explain-failure.ts";
import type { LaunchEvent, LaunchPlan } from "../plan/launch-plan.ts";

/** Why a launch failed, as an error to throw. */
export function launchError(plan: LaunchPlan, events: readonly LaunchEvent[]): RuntimeError {
  const failure = events.find((event) => event.event === "failed");
  return failure === undefined
    ? new RuntimeError("LAUNCH_FAILED", "The native helper ended without saying why")
    : explainFailure(plan, failure);
}

/** A sentence for each operation that was to clean up and could not. */
export function cleanupWarnings(plan: LaunchPlan, events: readonly LaunchEvent[]): readonly string[] {
  return events.flatMap((event) => {
    if (event.event !== "cleanupFailed") return [];
    const operation = plan[event.section][event.index];
    const what = operation === undefined ? "clean up" : describeOperation(operation, slotUses(plan));
    return [`cannot ${what}: ${errnoName(event.errno)}`];
  });
}
