/** `pycri kill`: signal containers. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  signal: { type: "value", short: "s", value: "SIGNAL", help: "name or number, KILL by default" },
} as const;

export type KillValues = OptionValues<typeof options>;

export const killCommand: Command = {
  path: ["kill"],
  summary: "send a signal to the first process of containers",
  operands: [{ name: "CONTAINER", help: "name, id or beginning of an id", count: "some", completion: "container" }],
  options,
  load: () => import("./kill-main.ts"),
};
