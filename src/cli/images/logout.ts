/** `pycri logout`: forget the credentials of a registry. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  all: { type: "flag", short: "a", help: "forget the credentials of every registry" },
  authfile: { type: "value", value: "FILE", help: "remove from FILE", completion: "file" },
} as const;

export type LogoutValues = OptionValues<typeof options>;

export const logoutCommand: Command = {
  path: ["logout"],
  summary: "forget the credentials of a registry",
  operands: [{ name: "REGISTRY", help: "host[:port]; docker.io when absent", count: "optional" }],
  options,
  load: () => import("./logout-main.ts"),
};
