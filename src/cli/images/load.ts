/** `pycri load`: read images from an archive or layout directory. */

import type { Command, OptionValues } from "../command.ts";
import { type ImageAccessValues, UNPACK_OPTIONS } from "./image-access.ts";

const own = {
  input: {
    type: "value",
    short: "i",
    value: "PATH",
    help: "an archive or a directory; standard input when absent",
    completion: "file",
  },
  quiet: { type: "flag", short: "q", help: "no progress" },
  platform: { type: "value", value: "OS/ARCH[/VARIANT]", help: "take the variant for another platform" },
} as const;

export type LoadValues = OptionValues<typeof own> & ImageAccessValues;

export const loadCommand: Command = {
  path: ["load"],
  summary: "read images from an archive or layout directory",
  operands: [],
  options: { ...own, ...UNPACK_OPTIONS },
  load: () => import("./load-main.ts"),
};
