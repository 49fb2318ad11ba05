/** The code behind `pycri version`. */

import { readFileSync } from "node:fs";
import { VERSION } from "../version.ts";
import type { Invocation } from "./command.ts";
import type { VersionValues } from "./version.ts";
import { writeJson, writeOutput } from "./output.ts";

export function execute({ values }: Invocation<VersionValues>): number {
  const versions = {
    pycri: VERSION,
    node: process.versions.node,
    kernel: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
    architecture: process.arch,
  };
  if (values.json === true) {
    writeJson(versions);
    return 0;
  }
  writeOutput(`pycri ${versions.pycri}\nNode ${versions.node}\nLinux ${versions.kernel} (${versions.architecture})\n`);
  return 0;
}
