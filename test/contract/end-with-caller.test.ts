/** `endWithCaller` in the helper: a monitor whose caller is gone before it starts makes no container. */
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { encodePlan } from "../../src/plan/encode.ts";
import { createSealedFile } from "../../src/sys/memory-file.ts";
import { awaitProcess, openPipe, spawnProcess } from "../../src/sys/spawn-process.ts";
import { asCaller, caller } from "../support/caller.ts";
import { containerPlan, helper, shell } from "./helper-runner.ts";

/** The helper's exit status on a container that exits with 7. `hasReader`: somebody reads the events. */
function exitStatus(endsWithCaller: boolean, hasReader: boolean): number | null {
  const plan = containerPlan({ command: shell("exit 7") });
  const monitor = endsWithCaller ? [{ op: "endWithCaller" } as const, ...plan.monitor] : plan.monitor;
  const file = createSealedFile("plan", encodePlan({ ...plan, monitor }), false);
  const { reader, writer } = openPipe();
  const nothing = openSync("/dev/null", "r+");
  if (!hasReader) closeSync(reader);
  const drop = asCaller.uid === undefined ? [] : [`--reuid=${caller.uid}`, `--regid=${caller.gid}`, "--clear-groups"];
  const pid = spawnProcess(
    "/usr/bin/setpriv",
    ["setpriv", ...drop, helper, "3", "4"],
    ["PATH=/usr/bin:/bin"],
    [nothing, nothing, nothing, file, writer],
  );
  for (const descriptor of [file, writer, nothing]) closeSync(descriptor);
  assert.equal(typeof pid, "number", `setpriv: ${pid}`);
  const { exitCode } = awaitProcess(Number(pid));
  if (hasReader) closeSync(reader);
  return exitCode;
}

test("a caller that reads has its container", () => {
  assert.equal(exitStatus(true, true), 7);
});

test("a caller that is gone has none, unless it asked for one to outlive it", () => {
  assert.equal(exitStatus(true, false), 125);
  assert.equal(exitStatus(false, false), 7);
});
