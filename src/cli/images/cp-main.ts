/** The code behind `pycri cp`. */

import { archiveFromContainer, copyFromContainer, copyToContainer } from "../../engine/images/copy-files.ts";
import { RuntimeError } from "../../errors.ts";
import type { Invocation } from "../command.ts";
import { writeMessage } from "../output.ts";
import { writeArchive } from "./archive-output.ts";
import type { CpValues } from "./cp.ts";
import { formatBytes } from "./format-size.ts";
import { openImageStore } from "./image-access.ts";

interface ContainerPath {
  readonly container: string;
  readonly path: string;
}

/** `CONTAINER:PATH`; null for a path of the host. */
function parseContainerPath(text: string): ContainerPath | null {
  const colon = text.indexOf(":");
  if (colon < 1 || /^[./]/.test(text)) return null;
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

export async function execute({ values, operands }: Invocation<CpValues>): Promise<number> {
  const [source = "", destination = ""] = operands;
  const from = parseContainerPath(source);
  const to = parseContainerPath(destination);
  if ((from === null) === (to === null)) {
    const fault = from === null ? "neither is in a container" : "both are in containers";
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot copy "${source}" to "${destination}": ${fault}`, {
      hint: "One of them is CONTAINER:PATH; from one container to another go by way of the host.",
    });
  }
  const context = await openImageStore();
  let bytes = 0;
  const options = {
    follow: values["follow-link"] === true,
    keepOwners: values.archive === true,
    onBytes: (count: number) => void (bytes += count),
  };
  if (from !== null) {
    const { container, path } = from;
    if (destination === "-") {
      await writeArchive(archiveFromContainer(context, container, path, { ...options, keepOwners: true }), undefined);
      return 0;
    }
    await copyFromContainer(context, container, path, destination, options);
  } else if (to !== null) {
    await copyToContainer(context, source === "-" ? process.stdin : source, to.container, to.path, options);
  }
  if (values.quiet !== true && process.stderr.isTTY) {
    writeMessage(`Successfully copied ${formatBytes(bytes)} to ${destination}`);
  }
  return 0;
}
