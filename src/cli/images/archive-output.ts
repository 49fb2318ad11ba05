/** Where commands that make an archive write it: a file, which appears whole or not at all, or standard output. */

import { createWriteStream } from "node:fs";
import { rename, unlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { RuntimeError } from "../../errors.ts";

/** @throws RuntimeError INVALID_ARGUMENT rather than write to a terminal. */
export async function writeArchive(chunks: AsyncIterable<Uint8Array>, path: string | undefined): Promise<void> {
  if (path === undefined) {
    if (process.stdout.isTTY) {
      throw new RuntimeError("INVALID_ARGUMENT", "Cannot write an archive to the terminal", {
        hint: "Give --output, or redirect.",
      });
    }
    await pipeline(chunks, process.stdout);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await pipeline(chunks, createWriteStream(temporary, { flags: "wx" }));
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof RuntimeError || code === undefined) throw error;
    throw new RuntimeError("IO", `Cannot write "${path}": ${code}`, { cause: error });
  }
}
