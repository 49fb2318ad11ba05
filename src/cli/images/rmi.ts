/** `pycri rmi`: remove images. */

import type { Command, OptionValues } from "../command.ts";

const options = { force: { type: "flag", short: "f", help: "remove an image with several names" } } as const;

export type RmiValues = OptionValues<typeof options>;

export const rmiCommand: Command = {
  path: ["rmi"],
  summary: "remove images",
  operands: [{ name: "IMAGE", help: "name or id of an image", count: "some", completion: "image" }],
  options,
  load: () => import("./rmi-main.ts"),
};
