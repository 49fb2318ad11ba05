/** `pycri ps`: list containers. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  all: { type: "flag", short: "a", help: "list containers that have ended, too" },
  quiet: { type: "flag", short: "q", help: "print ids only" },
  "no-trunc": { type: "flag", help: "print whole ids and commands" },
  filter: { type: "list", short: "f", value: "FILTER", help: "status=, name=, id=, label=" },
  format: { type: "value", value: "FORMAT", help: "json, table TEMPLATE, or a Go template" },
} as const;

export type PsValues = OptionValues<typeof options>;

export const psCommand: Command = {
  path: ["ps"],
  summary: "list containers",
  description: ["Containers that ended are listed with --all when they had a name and no --rm."],
  operands: [],
  options,
  load: () => import("./ps-main.ts"),
};
