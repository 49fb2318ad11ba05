/** `pycri images`: list images. */

import type { Command, OptionValues } from "../command.ts";

const options = {
  quiet: { type: "flag", short: "q", help: "print ids only" },
  "no-trunc": { type: "flag", help: "print whole ids" },
  digests: { type: "flag", help: "print digests, too" },
  filter: { type: "list", short: "f", value: "FILTER", help: "dangling=, label=, reference=, before=, since=" },
  format: { type: "value", value: "FORMAT", help: "json, table TEMPLATE, or a Go template" },
} as const;

export type ImagesValues = OptionValues<typeof options>;

export const imagesCommand: Command = {
  path: ["images"],
  summary: "list images",
  operands: [{ name: "PATTERN", help: "names to list: debian, example.com/*:latest", count: "optional" }],
  options,
  load: () => import("./images-main.ts"),
};
