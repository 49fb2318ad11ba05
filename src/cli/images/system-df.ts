/** `pycri system df`: print how much space images take. */

import type { Command, OptionValues } from "../command.ts";

const options = { format: { type: "value", value: "FORMAT", help: "json, table TEMPLATE, or a Go template" } } as const;

export type SystemDfValues = OptionValues<typeof options>;

export const systemDfCommand: Command = {
  path: ["system", "df"],
  summary: "print how much space images take",
  operands: [],
  options,
  load: () => import("./system-df-main.ts"),
};
