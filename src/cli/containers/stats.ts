/** `pycri stats`. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  "no-stream": { type: "flag", help: "print one table and end" },
  format: {
    type: "value",
    value: "FORMAT",
    help: "json, table TEMPLATE, or a Go template",
    suggestions: ["table", "json"],
  },
} as const;

export type StatsValues = OptionValues<typeof options>;

export const statsCommand: Command = {
  path: ["stats"],
  summary: "show what running containers use",
  description: [
    "Memory is counted without the file cache that is not in active use. PRESSURE is the share of the last ten seconds in which something in the container waited for processors, memory or input and output. --format json adds every counter of the cgroup.",
  ],
  operands: [
    {
      name: "CONTAINER",
      help: "name, id or beginning of an id; every running container with a cgroup when absent",
      count: "many",
      completion: "container",
    },
  ],
  options,
  load: () => import("./stats-main.ts"),
};
