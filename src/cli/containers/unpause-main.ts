/** The code behind `pycri unpause`. */

import { unpauseContainer } from "../../engine/pause.ts";
import type { Invocation } from "../command.ts";
import { stateDirectory } from "./operand.ts";
import { writeOutput } from "../output.ts";

export async function execute({ operands }: Invocation): Promise<number> {
  for (const name of operands) {
    await unpauseContainer(stateDirectory(), name);
    writeOutput(`${name}\n`);
  }
  return 0;
}
