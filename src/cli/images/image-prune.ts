/** `pycri image prune`: remove images without a name, and what no image needs. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  all: { type: "flag", short: "a", help: "remove every image that no container was made of" },
  filter: { type: "list", value: "FILTER", help: "until=24h, until=2024-01-31, label=NAME[=VALUE], label!=…" },
} as const;

export type ImagePruneValues = OptionValues<typeof options>;

export const imagePruneCommand: Command = {
  path: ["image", "prune"],
  summary: "remove images without a name, and what no image needs",
  operands: [],
  options,
  load: () => import("./image-prune-main.ts"),
};
