/** `pycri system prune`. */

import type { Command, OptionValues } from "./command.ts";

const options = {
  all: { type: "flag", short: "a", help: "remove every image that no container was made of" },
  "cgroup-parent": {
    type: "value",
    value: "PATH",
    help: "look below this cgroup, too: the --cgroup-parent of the runs in question",
  },
} as const;

export type SystemPruneValues = OptionValues<typeof options>;

export const systemPruneCommand: Command = {
  path: ["system", "prune"],
  summary: "remove what killed runs have left, and images without a name",
  description: [
    "A run cleans up after itself even when it is killed; only when its janitor process is killed as well, or the machine's power fails it, something can stay. Containers that run are left alone, and so are cgroups with processes of another state directory.",
    "Of the image store goes what nothing refers to: images without a name, layers and blobs of no image, and what containers wrote whose record is gone. Containers that have ended keep what they need until pycri rm.",
  ],
  operands: [],
  options,
  load: () => import("./system-prune-main.ts"),
};
