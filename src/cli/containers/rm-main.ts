/** The code behind `pycri rm`. */

import { removeContainer } from "../../engine/remove-container.ts";
import { probeHost } from "../../host/probe-host.ts";
import type { Invocation } from "../command.ts";
import { discardKeptWrites } from "../images/discard-kept-writes.ts";
import { writeOutput } from "../output.ts";
import type { RmValues } from "./rm.ts";

export async function execute({ values, operands }: Invocation<RmValues>): Promise<number> {
  const { runtimeDirectory } = probeHost(process.env);
  for (const wanted of operands) {
    await removeContainer(runtimeDirectory, wanted, values.force === true, discardKeptWrites);
    writeOutput(`${wanted}\n`);
  }
  return 0;
}
