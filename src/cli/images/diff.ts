/** `pycri diff`: list what a container changed. */

import type { Command, OptionValues } from "../command.ts";

const options = { format: { type: "value", value: "FORMAT", help: "json, or a Go template" } } as const;

export type DiffValues = OptionValues<typeof options>;

export const diffCommand: Command = {
  path: ["diff"],
  summary: "list the files that a container added (A), changed (C) and deleted (D)",
  operands: [{ name: "CONTAINER", help: "name or id of a container", count: "one" }],
  options,
  load: () => import("./diff-main.ts"),
};
