/** `pycri info`: the host as pycri sees it. */

import type { Command, OptionValues } from "./command.ts";

const options = {
  format: {
    type: "value",
    short: "f",
    value: "FORMAT",
    help: "text (the default), json, or a Go template such as '{{.kernel.release}}'",
    suggestions: ["text", "json"],
  },
} as const;

export type InfoValues = OptionValues<typeof options>;

export const infoCommand: Command = {
  path: ["info"],
  summary: "print what pycri knows of this host",
  description: [
    "Kernel and namespaces, your ids, security modules, storage, cgroup controllers and the manager that limits would go through, helper programs and paths. 'pycri doctor' says what of it is amiss.",
  ],
  operands: [],
  options,
  examples: [
    { command: "pycri info --format json", explanation: "everything, for programs" },
    { command: "pycri info --format '{{.cgroup.manager}}'", explanation: "who would apply limits" },
  ],
  load: () => import("./info-main.ts"),
};
