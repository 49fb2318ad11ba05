/** `pycri commit`: make an image of what a container changed. */

import type { Command, OptionValues } from "../command.ts";
import { type ImageAccessValues, UNPACK_OPTIONS } from "./image-access.ts";

const own = {
  author: { type: "value", short: "a", value: "TEXT", help: "who made it" },
  change: { type: "list", short: "c", value: "INSTRUCTION", help: "a Dockerfile's instruction: 'CMD [\"/bin/sh\"]'" },
  message: { type: "value", short: "m", value: "TEXT", help: "comment in the history" },
  pause: { type: "flag", short: "p", help: "pause a running container meanwhile, which is the default" },
  quiet: { type: "flag", short: "q", help: "no progress" },
} as const;

export type CommitValues = OptionValues<typeof own> & ImageAccessValues;

export const commitCommand: Command = {
  path: ["commit"],
  summary: "make an image of what a container changed",
  operands: [
    { name: "CONTAINER", help: "name or id of a container", count: "one" },
    { name: "NAME", help: "name of the image", count: "optional" },
  ],
  options: { ...own, ...UNPACK_OPTIONS },
  load: () => import("./commit-main.ts"),
};
