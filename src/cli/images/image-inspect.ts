/** `pycri image inspect`: print what an image says about itself. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  format: { type: "value", short: "f", value: "FORMAT", help: "json, or a Go template" },
} as const;

export type ImageInspectValues = OptionValues<typeof options>;

export const imageInspectCommand: Command = {
  path: ["image", "inspect"],
  summary: "print what an image says about itself",
  operands: [{ name: "IMAGE", help: "name or id of an image", count: "some", completion: "image" }],
  options,
  load: () => import("./image-inspect-main.ts"),
};
