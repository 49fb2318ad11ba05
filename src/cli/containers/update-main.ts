/** The code behind `pycri update`. */

import { parseResources } from "../../engine/request/limits.ts";
import type { ResourceOptions } from "../../engine/request/limits.ts";
import { updateContainer } from "../../engine/update.ts";
import type { Invocation } from "../command.ts";
import { stateDirectory } from "./operand.ts";
import { limitOptionsOf } from "../limit-options.ts";
import { writeOutput } from "../output.ts";
import type { UpdateValues } from "./update.ts";

export async function execute({ values, operands }: Invocation<UpdateValues>): Promise<number> {
  const given = Object.entries(limitOptionsOf(values)).filter(([, value]) => value !== undefined);
  const request = parseResources(Object.fromEntries(given) as ResourceOptions, "update");
  for (const name of operands) {
    await updateContainer(stateDirectory(), name, request);
    writeOutput(`${name}\n`);
  }
  return 0;
}
