/** `pycri system check`: check every byte of the image store. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  repair: { type: "flag", help: "remove what is damaged, so that the next pull brings it anew" },
} as const;

export type SystemCheckValues = OptionValues<typeof options>;

export const systemCheckCommand: Command = {
  path: ["system", "check"],
  summary: "check every byte of the image store",
  operands: [],
  options,
  load: () => import("./system-check-main.ts"),
};
