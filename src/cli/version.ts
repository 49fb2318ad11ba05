/** `pycri version`: the version of pycri, of Node and of the kernel. */

import type { Command, OptionValues } from "./command.ts";

const options = {
  json: { type: "flag", help: "print JSON" },
} as const;

export type VersionValues = OptionValues<typeof options>;

export const versionCommand: Command = {
  path: ["version"],
  summary: "print the version of pycri, Node and the kernel",
  operands: [],
  options,
  load: () => import("./version-main.ts"),
};
