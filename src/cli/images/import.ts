/** `pycri import`: make an image of the files of a root file system. */

import type { Command, OptionValues } from "../command.ts";
import { type ImageAccessValues, UNPACK_OPTIONS } from "./image-access.ts";

const own = {
  message: { type: "value", short: "m", value: "TEXT", help: "comment in the history" },
  platform: { type: "value", value: "OS/ARCH[/VARIANT]", help: "take the variant for another platform" },
} as const;

export type ImportImageValues = OptionValues<typeof own> & ImageAccessValues;

export const importImageCommand: Command = {
  path: ["import"],
  summary: "make an image of the files of a root file system",
  operands: [
    { name: "FILE", help: "a tar archive, or - for standard input", count: "one" },
    { name: "NAME", help: "name of the image", count: "optional" },
  ],
  options: { ...own, ...UNPACK_OPTIONS },
  load: () => import("./import-main.ts"),
};
