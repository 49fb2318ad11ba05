/** `pycri pull`: fetch an image from a registry. */

import type { Command, OptionValues } from "../command.ts";
import { type ImageAccessValues, REGISTRY_OPTIONS, UNPACK_OPTIONS } from "./image-access.ts";

const own = {
  platform: { type: "value", value: "OS/ARCH[/VARIANT]", help: "take the variant for another platform" },
  policy: {
    type: "value",
    value: "WHEN",
    help: "when to ask the registry: always by default",
    choices: ["always", "missing", "never", "newer"],
  },
  quiet: { type: "flag", short: "q", help: "print the name only" },
} as const;

export type PullValues = OptionValues<typeof own> & ImageAccessValues;

export const pullCommand: Command = {
  path: ["pull"],
  summary: "fetch an image from a registry",
  operands: [{ name: "IMAGE", help: "[registry/]name[:tag][@digest]", count: "some" }],
  options: { ...own, ...REGISTRY_OPTIONS, ...UNPACK_OPTIONS },
  load: () => import("./pull-main.ts"),
};
