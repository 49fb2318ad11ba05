/** `pycri pause` and `pycri unpause`. */

import type { Command } from "../command.ts";
import { CONTAINERS_OPERAND } from "./operand.ts";

export const pauseCommand: Command = {
  path: ["pause"],
  summary: "stop every process of a running container where it stands",
  description: ["It goes on with pycri unpause. What kills a paused container ends it at once."],
  operands: [CONTAINERS_OPERAND],
  options: {},
  load: () => import("./pause-main.ts"),
};

export const unpauseCommand: Command = {
  path: ["unpause"],
  summary: "let a paused container go on",
  operands: [CONTAINERS_OPERAND],
  options: {},
  load: () => import("./unpause-main.ts"),
};
