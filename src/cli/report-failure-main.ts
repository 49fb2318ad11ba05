/** The code behind `pycri report-failure`. */

import { fstatSync, readSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { decodePlan } from "../plan/decode.ts";
import { describeOperation, slotUses } from "../plan/describe-operation.ts";
import { decodeEvents } from "../plan/encode.ts";
import { errnoName } from "../plan/errno-names.ts";
import { explainFailure } from "../plan/explain-failure.ts";
import type { Invocation } from "./command.ts";
import { writeWarning } from "./output.ts";

/** @throws RuntimeError the explanation, which `main` prints. */
export function execute({ operands }: Invocation): never {
  const [planDescriptor, eventsDescriptor] = operands.map(Number);
  const { events } = decodeEvents(readFromStart(eventsDescriptor));
  const failure = events.find((event) => event.event === "failed");
  if (failure === undefined) {
    throw new RuntimeError("LAUNCH_FAILED", "The native helper ended without saying why");
  }
  const plan = decodePlan(readFromStart(planDescriptor));
  for (const event of events) {
    if (event.event !== "cleanupFailed") continue;
    const operation = plan[event.section][event.index];
    const what = operation === undefined ? "clean up" : describeOperation(operation, slotUses(plan));
    writeWarning(`cannot ${what}: ${errnoName(event.errno)}`);
  }
  throw explainFailure(plan, failure);
}

/** Contents of a memory file, whose offset is wherever the last writer left it. */
function readFromStart(descriptor: number | undefined): Uint8Array {
  if (descriptor === undefined || !Number.isInteger(descriptor)) {
    throw new RuntimeError("INVALID_ARGUMENT", "PLAN and EVENTS are descriptors", {
      hint: "this command is for the native helper alone",
    });
  }
  const bytes = new Uint8Array(fstatSync(descriptor).size);
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(descriptor, bytes, length, bytes.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
