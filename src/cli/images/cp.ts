/** `pycri cp`: copy files between the host and a container. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  archive: { type: "flag", short: "a", help: "keep numeric owners" },
  "follow-link": { type: "flag", short: "L", help: "copy what a symlink at SOURCE leads to" },
  quiet: { type: "flag", short: "q", help: "say nothing of what was copied" },
} as const;

export type CpValues = OptionValues<typeof options>;

export const cpCommand: Command = {
  path: ["cp"],
  summary: "copy files between the host and a container",
  description: [
    "One of the two is CONTAINER:PATH, the other a path of the host, or - for a tar archive on standard input or output. A source goes into a directory that exists, else it gets the new name; DIRECTORY/. stands for what is in it. A path of the host with a colon begins with / or a dot.",
  ],
  operands: [
    { name: "SOURCE", help: "CONTAINER:PATH, PATH or -", count: "one", completion: "file" },
    { name: "DESTINATION", help: "PATH, - or CONTAINER:PATH", count: "one", completion: "file" },
  ],
  options,
  load: () => import("./cp-main.ts"),
};
