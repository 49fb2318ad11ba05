/** syncfs(2). */

import { closeSync, openSync } from "node:fs";
import { check, declare } from "./native-library.ts";

const syncfs = declare("syncfs", ["int"]);

/** Write everything of the file system that holds `path` to its device. */
export function flushFileSystem(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    check(syncfs(descriptor), "syncfs(2)");
  } finally {
    closeSync(descriptor);
  }
}
