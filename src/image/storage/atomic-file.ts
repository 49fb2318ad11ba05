/** Files that are either the old one or the new one, whatever happens: temporary sibling, fsync(2), rename(2). */

import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { fileError } from "./file-error.ts";

/** Replace `path` by a file with these contents and permission bits. */
export async function writeFileAtomically(path: string, contents: string | Uint8Array, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", mode);
  try {
    try {
      await file.writeFile(contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw fileError(error, `Cannot write "${path}"`);
  }
  await syncDirectory(dirname(path));
}

/** Make the names in a directory durable: a rename(2) is, once its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
