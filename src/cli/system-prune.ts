/** `pycri system prune`. */

import type { Command, OptionValues } from "./command.ts";

const options = {
  "cgroup-parent": {
    type: "value",
    value: "PATH",
    help: "look below this cgroup, too: the --cgroup-parent of the runs in question",
  },
} as const;

export type SystemPruneValues = OptionValues<typeof options>;

export const systemPruneCommand: Command = {
  path: ["system", "prune"],
  summary: "remove the cgroups that killed runs have left",
  description: [
    "A run cleans up after itself even when it is killed; only when its janitor process is killed as well, or the machine's power fails it, something can stay. Containers that run are left alone, and so are cgroups with processes of another state directory.",
  ],
  operands: [],
  options,
  load: () => import("./system-prune-main.ts"),
};
