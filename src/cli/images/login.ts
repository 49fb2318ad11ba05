/** `pycri login`: keep credentials for a registry. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  username: { type: "value", short: "u", value: "NAME", help: "user name" },
  password: { type: "value", short: "p", value: "TEXT", help: "password; others on this machine may see it" },
  "password-stdin": { type: "flag", help: "read the password from standard input" },
  "tls-verify": { type: "flag", help: "check certificates" },
  authfile: { type: "value", value: "FILE", help: "write to FILE", completion: "file" },
} as const;

export type LoginValues = OptionValues<typeof options>;

export const loginCommand: Command = {
  path: ["login"],
  summary: "keep credentials for a registry",
  description: ["What is not given is asked for on the terminal."],
  operands: [{ name: "REGISTRY", help: "host[:port]; docker.io when absent", count: "optional" }],
  options,
  load: () => import("./login-main.ts"),
};
