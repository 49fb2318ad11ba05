/** `pycri rm`: forget containers. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  force: { type: "flag", short: "f", help: "end a container that runs" },
} as const;

export type RmValues = OptionValues<typeof options>;

export const rmCommand: Command = {
  path: ["rm"],
  summary: "forget containers that have ended, and delete what they wrote",
  operands: [{ name: "CONTAINER", help: "name, id or beginning of an id", count: "some", completion: "container" }],
  options,
  load: () => import("./rm-main.ts"),
};
