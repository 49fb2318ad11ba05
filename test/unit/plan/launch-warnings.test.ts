/** Warnings of a plan as data: the plan that says nothing, and the words of a fallback. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { warningsOfFallback, withoutWarnings } from "../../../src/plan/launch-warnings.ts";
import type { LaunchPlan, OperationFailure } from "../../../src/plan/launch-plan.ts";
import type { ContainerOperation } from "../../../src/plan/operations.ts";

const step: ContainerOperation = { op: "setUmask", mask: 0 };
const warn = (message: string): ContainerOperation => ({ op: "warn", message });

/** 0 attempt { 1 step, 2 attempt { 3 step | 4 warn inner } | 5 warn outer, 6 step } 7 step */
const plan: LaunchPlan = {
  monitor: [],
  container: [
    { op: "attempt", first: 4, otherwise: 2 },
    step,
    { op: "attempt", first: 1, otherwise: 1 },
    step,
    warn("inner"),
    warn("outer"),
    step,
    step,
  ],
  cleanup: [],
  reporter: [],
};

const failure = (index: number, section: OperationFailure["section"] = "container"): OperationFailure => ({
  section,
  index,
  errno: 22,
  detail: "",
});

test("a failed operation means the alternative of the innermost attempt around it", () => {
  assert.deepEqual(warningsOfFallback(plan, failure(1)), ["outer"]);
  assert.deepEqual(warningsOfFallback(plan, failure(3)), ["inner"]);
  assert.deepEqual(warningsOfFallback(plan, failure(7)), []);
  assert.deepEqual(warningsOfFallback(plan, failure(3, "monitor")), []);
});

test("without warnings every operation keeps its place", () => {
  const quiet = withoutWarnings(plan).container;
  assert.equal(quiet.length, plan.container.length);
  for (const [index, operation] of quiet.entries()) {
    const expected =
      plan.container[index]?.op === "warn" ? { op: "attempt", first: 0, otherwise: 0 } : plan.container[index];
    assert.deepEqual(operation, expected);
  }
});
