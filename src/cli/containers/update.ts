/** `pycri update`. */

import type { Command, OptionValues } from "../command.ts";
import { CONTAINERS_OPERAND } from "./operand.ts";
import { LIMIT_OPTIONS } from "../limit-options.ts";

export type UpdateValues = OptionValues<typeof LIMIT_OPTIONS>;

export const updateCommand: Command = {
  path: ["update"],
  summary: "change the limits of a running container",
  description: ["Limits that are not named stay as they are; -1 lifts one."],
  operands: [CONTAINERS_OPERAND],
  options: LIMIT_OPTIONS,
  examples: [{ command: "pycri update --memory 512m --cpus 0.5 web", explanation: "new limits, effective at once" }],
  load: () => import("./update-main.ts"),
};
