/** `pycri report-failure`: what the helper turns into when a launch has failed, so that messages are composed here. */

import type { Command } from "./command.ts";

export const reportFailureCommand: Command = {
  path: ["report-failure"],
  summary: "explain a failed launch; called by the native helper",
  operands: [
    { name: "PLAN", help: "descriptor of the plan", count: "one" },
    { name: "EVENTS", help: "descriptor of the events", count: "one" },
  ],
  options: {},
  internal: true,
  load: () => import("./report-failure-main.ts"),
};
