/** The code behind `pycri system prune`. */

import { pruneSystem } from "../engine/prune.ts";
import { probeHost } from "../host/probe-host.ts";
import type { Invocation } from "./command.ts";
import { writeOutput, writeWarning } from "./output.ts";
import type { SystemPruneValues } from "./system-prune.ts";

export async function execute({ values }: Invocation<SystemPruneValues>): Promise<number> {
  const { removed, kept } = await pruneSystem(probeHost(process.env), values["cgroup-parent"]);
  for (const directory of removed) writeOutput(`${directory}\n`);
  for (const directory of kept)
    writeWarning(`"${directory}" stays: processes run in it, and their container is unknown here`);
  return 0;
}
