/** `pycri history`: print the steps that made an image. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  quiet: { type: "flag", short: "q", help: "print ids only" },
  "no-trunc": { type: "flag", help: "print whole commands and ids" },
  format: { type: "value", value: "FORMAT", help: "json, table TEMPLATE, or a Go template" },
} as const;

export type HistoryValues = OptionValues<typeof options>;

export const historyCommand: Command = {
  path: ["history"],
  summary: "print the steps that made an image",
  operands: [{ name: "IMAGE", help: "name or id of an image", count: "one", completion: "image" }],
  options,
  load: () => import("./history-main.ts"),
};
