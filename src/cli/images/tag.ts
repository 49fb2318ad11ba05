/** `pycri tag`: give an image another name. */

import type { Command, OptionValues } from "../command.ts";

const options = {} as const;

export type TagValues = OptionValues<typeof options>;

export const tagCommand: Command = {
  path: ["tag"],
  summary: "give an image another name",
  operands: [
    { name: "IMAGE", help: "name or id of an image", count: "one", completion: "image" },
    { name: "NAME", help: "the new name", count: "one" },
  ],
  options,
  load: () => import("./tag-main.ts"),
};
