/** `pycri save`: write images to an archive or layout directory. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  output: {
    type: "value",
    short: "o",
    value: "PATH",
    help: "where to; standard output when absent",
    completion: "file",
  },
  format: {
    type: "value",
    value: "FORMAT",
    help: "docker-archive by default",
    choices: ["docker-archive", "oci-archive", "oci-dir"],
  },
} as const;

export type SaveValues = OptionValues<typeof options>;

export const saveCommand: Command = {
  path: ["save"],
  summary: "write images to an archive or layout directory",
  operands: [{ name: "IMAGE", help: "name or id of an image", count: "some", completion: "image" }],
  options,
  load: () => import("./save-main.ts"),
};
