/** `pycri inspect`: print what is known about containers and images. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  format: { type: "value", short: "f", value: "FORMAT", help: "json, or a Go template" },
  type: { type: "value", value: "TYPE", help: "look for these only", choices: ["container", "image"] },
} as const;

export type InspectValues = OptionValues<typeof options>;

export const inspectCommand: Command = {
  path: ["inspect"],
  summary: "print what is known about containers and images",
  operands: [{ name: "NAME", help: "name or id of a container or an image", count: "some" }],
  options,
  load: () => import("./inspect-main.ts"),
};
