/** The code behind `pycri system check`. */

import { checkImages } from "../../engine/images/store-usage.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { SystemCheckValues } from "./system-check.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values }: Invocation<SystemCheckValues>): Promise<number> {
  const repair = values.repair === true;
  const faults = await checkImages(await openImageStore(), repair);
  for (const fault of faults) {
    const what =
      fault.kind === "blob"
        ? `blob ${fault.digest} does not have its digest`
        : fault.kind === "layer"
          ? `layer ${fault.name} has no record`
          : fault.kind === "records"
            ? "images.json cannot be read"
            : `image ${fault.id} has lost ${fault.lost.join(", ")}`;
    const done = fault.kind === "records" ? ": made anew, without names" : ": removed";
    writeOutput(`${what}${repair ? done : ""}\n`);
  }
  return faults.length === 0 || repair ? 0 : 1;
}
