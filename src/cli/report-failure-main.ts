/** The code behind `pycri report-failure`. */

import { fstatSync, readSync } from "node:fs";
import { cleanupWarnings, launchError } from "../engine/launch-failure.ts";
import { RuntimeError } from "../errors.ts";
import { decodePlan } from "../plan/decode.ts";
import { decodeEvents } from "../plan/encode.ts";
import type { LaunchPlan } from "../plan/launch-plan.ts";
import type { ContainerConfig } from "../store/container-record.ts";
import type { Invocation } from "./command.ts";
import { discardKeptWrites } from "./images/discard-kept-writes.ts";
import { writeWarning } from "./output.ts";

/** @throws RuntimeError the explanation, which `main` prints. */
export async function execute({ operands }: Invocation): Promise<never> {
  const [planDescriptor, eventsDescriptor] = operands.map(Number);
  const { events } = decodeEvents(readFromStart(eventsDescriptor));
  const plan = decodePlan(readFromStart(planDescriptor));
  cleanupWarnings(plan, events).forEach(writeWarning);
  await discardLayer(plan);
  throw launchError(plan, events);
}

/** What was made to keep the writes of a container that did not come to be. */
async function discardLayer({ monitor }: LaunchPlan): Promise<void> {
  const record = monitor.find(
    (operation) => operation.op === "writeHostFile" && operation.path.endsWith("/config.json"),
  );
  if (record?.op !== "writeHostFile") return;
  await discardKeptWrites(JSON.parse(new TextDecoder().decode(record.contents)) as ContainerConfig);
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
