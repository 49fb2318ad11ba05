/**
 * Locks of the store, one file each below `locks/`. They hold between processes (flock(2)) and between the tasks of one
 * process, since each taking opens the file anew. A lock ends with its process, however that ends.
 */

import { open } from "node:fs/promises";
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
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const lock = await tryTakeLock(path, kind);
    if (lock !== null) return lock;
    await delay(wait);
  }
}

/** Take the lock at `path` unless another holder excludes it. */
export async function tryTakeLock(path: string, kind: "shared" | "exclusive"): Promise<StoreLock | null> {
  const file = await open(path, "a", 0o600);
  if (!tryLockFile(file.fd, kind)) {
    await file.close();
    return null;
  }
  const release = async (): Promise<void> => {
    await file.close();
  };
  return { release, [Symbol.asyncDispose]: release };
}
