/** `pycri untag`: take names from an image and keep it. */

import type { Command, OptionValues } from "../command.ts";

const options = {} as const;

export type UntagValues = OptionValues<typeof options>;

export const untagCommand: Command = {
  path: ["untag"],
  summary: "take names from an image and keep it",
  operands: [
    { name: "IMAGE", help: "name or id of an image", count: "one", completion: "image" },
    { name: "NAME", help: "names to take away; all of them when absent", count: "many" },
  ],
  options,
  load: () => import("./untag-main.ts"),
};
