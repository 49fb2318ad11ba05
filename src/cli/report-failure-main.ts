/** The code behind `pycri report-failure`. */

import { fstatSync, readSync } from "node:fs";
import { cleanupWarnings, launchError } from "../engine/launch-failure.ts";
import { RuntimeError } from "../errors.ts";
import { decodePlan } from "../plan/decode.ts";
import { decodeEvents } from "../plan/encode.ts";
import type { Invocation } from "./command.ts";
import { writeWarning } from "./output.ts";

/** @throws RuntimeError the explanation, which `main` prints. */
export function execute({ operands }: Invocation): never {
  const [planDescriptor, eventsDescriptor] = operands.map(Number);
  const { events } = decodeEvents(readFromStart(eventsDescriptor));
  const plan = decodePlan(readFromStart(planDescriptor));
  cleanupWarnings(plan, events).forEach(writeWarning);
  throw launchError(plan, events);
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
