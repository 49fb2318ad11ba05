/** `pycri export`: write a container's files as a tar archive. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  output: {
    type: "value",
    short: "o",
    value: "FILE",
    help: "where to; standard output when absent",
    completion: "file",
  },
} as const;

export type ExportValues = OptionValues<typeof options>;

export const exportCommand: Command = {
  path: ["export"],
  summary: "write a container's files as a tar archive",
  operands: [{ name: "CONTAINER", help: "name or id of a container", count: "one" }],
  options,
  load: () => import("./export-main.ts"),
};
