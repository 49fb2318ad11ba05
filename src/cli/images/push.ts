/** `pycri push`: send an image to a registry. */

import type { Command, OptionValues } from "../command.ts";
import { type ImageAccessValues, REGISTRY_OPTIONS } from "./image-access.ts";

const own = { quiet: { type: "flag", short: "q", help: "print the name only" } } as const;

export type PushValues = OptionValues<typeof own> & ImageAccessValues;

export const pushCommand: Command = {
  path: ["push"],
  summary: "send an image to a registry",
  operands: [
    { name: "IMAGE", help: "name or id of an image", count: "one", completion: "image" },
    { name: "DESTINATION", help: "[registry/]name[:tag]; IMAGE itself when absent", count: "optional" },
  ],
  options: { ...own, ...REGISTRY_OPTIONS },
  load: () => import("./push-main.ts"),
};
