/** The code behind `pycri system prune`. */

import { pruneSystem } from "../engine/prune.ts";
import { pruneImages } from "../engine/images/remove-image.ts";
import type { Invocation } from "./command.ts";
import { formatBytes } from "./images/format-size.ts";
import { openImageStore } from "./images/image-access.ts";
import { writeOutput, writeWarning } from "./output.ts";
import type { SystemPruneValues } from "./system-prune.ts";

export async function execute({ values }: Invocation<SystemPruneValues>): Promise<number> {
  const context = await openImageStore();
  const sessionBus = process.env["DBUS_SESSION_BUS_ADDRESS"];
  const { removed, kept } = await pruneSystem(context.facts, values["cgroup-parent"], sessionBus);
  for (const directory of removed) writeOutput(`${directory}\n`);
  for (const directory of kept)
    writeWarning(`"${directory}" stays: processes run in it, and their container is unknown here`);
  const { images, bytes } = await pruneImages(context, values.all === true, []);
  for (const id of images) writeOutput(`deleted: ${id}\n`);
  if (bytes > 0) writeOutput(`Total reclaimed space: ${formatBytes(bytes)}\n`);
  return 0;
}
