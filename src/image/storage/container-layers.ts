/**
 * What containers of images have written, kept beside the images until the container is removed: `containers/ID` has the
 * overlay's `upper` and `work`, and `container.json` tells whose it is. While the container runs its monitor holds flock(2)
 * on that file; afterwards the container's record decides. A directory with neither is left over.
 */

import { closeSync, openSync } from "node:fs";
import { chmod, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, parseDigest } from "../../oci/descriptor.ts";
import { readJson } from "../../oci/json-reader.ts";
import { tryLockFile } from "../../sys/whole-file-lock.ts";
import { type WorkerNamespace, runRemove } from "../worker/run-worker.ts";
import { syncDirectory, writeFileAtomically } from "./atomic-file.ts";
import type { ImageStore } from "./image-store.ts";

/** What `container.json` holds. */
export interface ContainerLayer {
  /** The record's file: gone when the container is. Absolute. */
  readonly record: string;
  /** Digests of the image's configuration and manifest, which `commit` builds on. */
  readonly image: Digest;
  readonly manifest: Digest;
  /** Directories in `layers` that the container's own lies on, top first. */
  readonly layers: readonly string[];
}

export interface StoredContainerLayer extends ContainerLayer {
  readonly id: string;
}

const OWNER = "container.json";
const MAX_OWNER_BYTES = 1024 * 1024;

/**
 * Make the directory that takes a container's writes. The caller holds the store against collection.
 * @returns a descriptor that holds it while some process has it open.
 */
export async function makeContainerLayer(store: ImageStore, id: string, owner: ContainerLayer): Promise<number> {
  const path = store.path("containers", id);
  await mkdir(path, { mode: 0o700 });
  await writeFileAtomically(join(path, OWNER), JSON.stringify(owner), 0o600);
  const held = openSync(join(path, OWNER), "r");
  tryLockFile(held, "shared");
  // The container's root makes `upper` and `work` here, and may be a stranger to the caller's ids; the store's root keeps
  // everybody else out.
  await chmod(path, 0o777);
  await syncDirectory(store.path("containers"));
  return held;
}

/** Every container's layer that there is. */
export async function listContainerLayers(store: ImageStore): Promise<readonly StoredContainerLayer[]> {
  const found: StoredContainerLayer[] = [];
  for (const id of await readdir(store.path("containers"))) {
    const owner = await readOwner(store, id);
    if (owner !== null) found.push({ id, ...owner });
  }
  return found;
}

/** Directories whose container neither runs nor has a record. The caller keeps others from making new ones. */
export async function findLeftContainerLayers(store: ImageStore): Promise<readonly string[]> {
  const left: string[] = [];
  for (const id of await readdir(store.path("containers"))) {
    const owner = await readOwner(store, id);
    if (owner === null || (!(await exists(owner.record)) && !isHeld(store, id))) left.push(id);
  }
  return left;
}

/** Take directories away: first their names, then their files, in a namespace that owns them. */
export async function removeContainerLayers(
  store: ImageStore,
  namespace: WorkerNamespace,
  ids: readonly string[],
): Promise<void> {
  const trash: string[] = [];
  for (const id of ids) {
    const path = store.temporaryPath("staging");
    try {
      await rename(store.path("containers", id), path);
      trash.push(path);
    } catch (error) {
      // Somebody else was faster.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  await runRemove(namespace, trash);
}

/** Null for a directory whose making was interrupted. */
async function readOwner(store: ImageStore, id: string): Promise<ContainerLayer | null> {
  const text = await store.readText(join("containers", id, OWNER));
  if (text === null) return null;
  const reader = readJson(`"${store.path("containers", id, OWNER)}"`, Buffer.from(text), MAX_OWNER_BYTES);
  const digest = (field: string): Digest => {
    const parsed = parseDigest(reader.string(field));
    if (parsed === null) throw reader.issue(field, "is not a digest");
    return parsed;
  };
  return {
    record: reader.string("record"),
    image: digest("image"),
    manifest: digest("manifest"),
    layers: reader.strings("layers"),
  };
}

function isHeld(store: ImageStore, id: string): boolean {
  const descriptor = openSync(store.path("containers", id, OWNER), "r");
  try {
    return !tryLockFile(descriptor, "exclusive");
  } finally {
    closeSync(descriptor);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
