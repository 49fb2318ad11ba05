/**
 * Locks of the store, one file each below `locks/`. They hold between processes (flock(2)) and between the tasks of one
 * process, since each taking opens the file anew. A lock ends with its process, however that ends.
 */

import { type FileHandle, open, stat, unlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { tryLockFile } from "../../sys/whole-file-lock.ts";

/** flock(2) that waits would stop all of Node's event loop, so the lock is asked for again and again. */
const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 50;

export interface StoreLock extends AsyncDisposable {
  release(): Promise<void>;
}

/** Take the lock at `path`, waiting as long as another holder excludes it. */
export async function takeLock(path: string, kind: "shared" | "exclusive"): Promise<StoreLock> {
  return untilTaken(() => tryTakeLock(path, kind));
}

/** The same, exclusive, with a file that is there only while the lock is held: for as many locks as one likes. */
export async function takePassingLock(path: string): Promise<StoreLock> {
  return untilTaken(async () => {
    const lock = await tryTakeLock(path, "exclusive");
    if (lock === null) return null;
    // The one before took the file away between our opening and locking it.
    if (!(await isAt(path, lock.file))) {
      await lock.release();
      return null;
    }
    const release = async (): Promise<void> => {
      await unlink(path);
      await lock.release();
    };
    return { release, [Symbol.asyncDispose]: release };
  });
}

async function isAt(path: string, file: FileHandle): Promise<boolean> {
  try {
    const [named, held] = await Promise.all([stat(path), file.stat()]);
    return named.ino === held.ino && named.dev === held.dev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

async function untilTaken(attempt: () => Promise<StoreLock | null>): Promise<StoreLock> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const lock = await attempt();
    if (lock !== null) return lock;
    await delay(wait);
  }
}

/** Take the lock at `path` unless another holder excludes it. */
export async function tryTakeLock(
  path: string,
  kind: "shared" | "exclusive",
): Promise<(StoreLock & { readonly file: FileHandle }) | null> {
  const file = await open(path, "a", 0o600);
  if (!tryLockFile(file.fd, kind)) {
    await file.close();
    return null;
  }
  const release = async (): Promise<void> => {
    await file.close();
  };
  return { file, release, [Symbol.asyncDispose]: release };
}
