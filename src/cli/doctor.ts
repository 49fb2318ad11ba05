/** `pycri doctor`: what keeps this host from a full rootless run, and what mends it. */

import type { Command, OptionValues } from "./command.ts";

const options = {
  format: { type: "value", short: "f", value: "FORMAT", help: "form of the findings", choices: ["text", "json"] },
} as const;

export type DoctorValues = OptionValues<typeof options>;

export const doctorCommand: Command = {
  path: ["doctor"],
  summary: "say what this host lacks for rootless containers",
  description: [
    "A container is started to see whether it starts. For each lack the lines that mend it are printed; those marked # are for root. What is only optional does not keep containers from running.",
    "Exit status: 0 when a full rootless run is possible, 1 when something for it is missing.",
  ],
  operands: [],
  options,
  examples: [{ command: "pycri doctor --format json", explanation: "the findings, for programs" }],
  load: () => import("./doctor-main.ts"),
};
