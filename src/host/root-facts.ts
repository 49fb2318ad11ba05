/** Reads the text files of a root filesystem that planning needs. */

import { accessSync, constants, statSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import type { RootFacts } from "../plan/host-facts.ts";
import type { RootSource } from "../plan/run-request.ts";
import { readInRoot } from "../sys/open-in-root.ts";

/**
 * Check that a root filesystem is a directory the caller can use, and read its user database.
 * @throws RuntimeError ROOTFS_NOT_FOUND.
 */
export function readRootFacts(root: RootSource): RootFacts {
  const directory = root.kind === "host" ? "/" : root.path;
  checkRoot(directory);
  const layers = root.kind === "image" ? root.layers.map((layer) => `${directory}/${layer}`) : [directory];
  const facts = { passwd: "", group: "" };
  // The highest layer that has a file decides.
  for (const layer of layers.toReversed()) {
    const [passwd, group] = readInRoot(layer, ["etc/passwd", "etc/group"]);
    facts.passwd = passwd ?? facts.passwd;
    facts.group = group ?? facts.group;
  }
  return facts;
}

function checkRoot(directory: string): void {
  let fault: string;
  try {
    if (!statSync(directory).isDirectory()) {
      fault = "it is not a directory";
    } else {
      accessSync(directory, constants.R_OK | constants.X_OK);
      return;
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    fault = code === "ENOENT" ? "there is no such directory" : code;
  }
  throw new RuntimeError("ROOTFS_NOT_FOUND", `Cannot use "${directory}" as the root filesystem: ${fault}`, {
    hint:
      fault === "EACCES"
        ? "the directory and those above it must be readable and searchable by you"
        : "give a directory that holds a root filesystem, or the word host",
    details: { path: directory },
  });
}
