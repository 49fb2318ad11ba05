/** `pycri image prune`: remove images without a name, and what no image needs. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  all: { type: "flag", short: "a", help: "remove every image that no container was made of" },
} as const;

export type ImagePruneValues = OptionValues<typeof options>;

export const imagePruneCommand: Command = {
  path: ["image", "prune"],
  summary: "remove images without a name, and what no image needs",
  operands: [],
  options,
  load: () => import("./image-prune-main.ts"),
};
