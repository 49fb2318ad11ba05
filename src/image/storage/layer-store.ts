/**
 * Unpacked layers: made once for all images that share them, under the id of the chain of layers that ends with them
 * (OCI image specification, config.md, "Layer ChainID").
 */

import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeError } from "../../errors.ts";
import { type Digest, digestHex, makeDigest } from "../../oci/descriptor.ts";
import { readJson } from "../../oci/json-reader.ts";
import { flushFileSystem } from "../../sys/flush.ts";
import { tryLockFile } from "../../sys/whole-file-lock.ts";
import { textOfBytes } from "../layer/entry-path.ts";
import type { RecordedOwner } from "../layer/layer-writer.ts";
import type { LayerLimits } from "../layer/limits.ts";
import type { LayerUnpacker } from "../worker/layer-unpacker.ts";
import { type WorkerNamespace, runRemove } from "../worker/run-worker.ts";
import { syncDirectory, writeFileAtomically } from "./atomic-file.ts";
import { fileError } from "./file-error.ts";
import type { ImageStore } from "./image-store.ts";

/** What `layer.json` holds. */
export interface LayerRecord {
  readonly diffId: Digest;
  /** Chain id of the layer below; null for the lowest. */
  readonly parent: Digest | null;
  readonly entries: number;
  /** Bytes of its files. */
  readonly bytes: number;
  readonly notes: readonly string[];
  readonly recordedOwners: readonly RecordedOwner[];
}

export interface LayerRequest {
  /** The compressed or plain archive in the store. */
  readonly blob: Digest;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Chain id of the layer below; null for the lowest. */
  readonly parent: Digest | null;
  readonly limits: LayerLimits;
  /** It is not there and is being unpacked now. */
  readonly onUnpack: () => void;
  /** Settles when the layers below are there. */
  readonly below: Promise<unknown>;
}

const RECORD = "layer.json";
const MAX_RECORD_BYTES = 1024 ** 3;
const MAX_RECORDED_OWNERS = 10_000_000;

/** The chain id of each layer of an image, bottom first. */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(
      parent === undefined
        ? diffId
        : makeDigest("sha256", createHash("sha256").update(`${parent} ${diffId}`).digest("hex")),
    );
  }
  return chain;
}

export function layerName(chainId: Digest, idsKey: string): string {
  return `${digestHex(chainId)}-${idsKey}`;
}

/** The directory that overlayfs takes as a lower one. */
export function layerDiff(store: ImageStore, chainId: Digest, idsKey: string): string {
  return store.path("layers", layerName(chainId, idsKey), "diff");
}

/** What is known about an unpacked layer, or null when it is not there. */
export async function readLayerRecord(store: ImageStore, chainId: Digest, idsKey: string): Promise<LayerRecord | null> {
  const text = await store.readText(join("layers", layerName(chainId, idsKey), RECORD));
  return text === null ? null : parseLayerRecord(text, store.path("layers", layerName(chainId, idsKey), RECORD));
}

function parseLayerRecord(text: string, path: string): LayerRecord {
  const reader = readJson(`"${path}"`, Buffer.from(text), MAX_RECORD_BYTES);
  const range = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
  return {
    diffId: reader.string("diffId") as Digest,
    parent: (reader.optionalString("parent") ?? null) as Digest | null,
    entries: reader.integer("entries", range),
    bytes: reader.integer("bytes", range),
    notes: reader.strings("notes"),
    recordedOwners: reader.objects("recordedOwners", MAX_RECORDED_OWNERS).map((owner) => ({
      path: owner.string("path"),
      uid: owner.integer("uid", range),
      gid: owner.integer("gid", range),
    })),
  };
}

/** Make sure that a layer is unpacked. Whoever comes second waits for the first and finds the work done. */
export async function ensureLayer(
  store: ImageStore,
  namespace: WorkerNamespace,
  unpacker: LayerUnpacker,
  request: LayerRequest,
): Promise<{ readonly record: LayerRecord; readonly made: boolean }> {
  const known = await readLayerRecord(store, request.chainId, namespace.idsKey);
  if (known !== null) return { record: known, made: false };
  await using lock = await store.lockLayer(digestHex(request.chainId));
  const there = await readLayerRecord(store, request.chainId, namespace.idsKey);
  if (there !== null) return { record: there, made: false };
  request.onUnpack();
  return { record: await unpack(store, namespace, unpacker, request), made: true };
}

async function unpack(
  store: ImageStore,
  namespace: WorkerNamespace,
  unpacker: LayerUnpacker,
  request: LayerRequest,
): Promise<LayerRecord> {
  const name = layerName(request.chainId, namespace.idsKey);
  // Named after the layer, under its lock: what an interrupted attempt left is found and removed.
  const staging = store.path("staging", name);
  await runRemove(namespace, await existing(staging));
  // Open to all: the store's root keeps strangers out, and containers may be strangers to the caller's own ids.
  await mkdir(staging, { mode: 0o755 });
  const directory = join(staging, "diff");
  await mkdir(directory, { mode: 0o755 });
  try {
    const { owners, zstdProgram } = namespace;
    const { blob, limits, parent } = request;
    const unpacked = await unpacker.unpack({
      op: "unpack",
      blob: store.blobPath(blob),
      directory,
      bottom: parent === null,
      owners,
      limits,
      diffId: request.diffId,
      zstdProgram,
    });
    const { diffId, entries, bytes, notes } = unpacked;
    await request.below;
    const lower = await lowerLayers(store, namespace.idsKey, parent);
    const inherited = await inheritFrom(lower, unpacker, directory, unpacked.implied);
    const recordedOwners = [...unpacked.recordedOwners, ...inherited];
    const record: LayerRecord = { diffId, parent, entries, bytes, notes, recordedOwners };
    await writeFileAtomically(join(staging, RECORD), JSON.stringify(record), 0o600);
    // Before the rename: a layer that has its name after a power failure has its files, too.
    flushFileSystem(staging);
    await rename(staging, store.path("layers", name));
    await syncDirectory(store.path("layers"));
    return record;
  } catch (error) {
    await runRemove(namespace, [staging]);
    throw fileError(error, `Cannot make the layer "${request.chainId}"`);
  }
}

interface LowerLayer {
  readonly diff: string;
  readonly record: LayerRecord;
}

/** The layers from `top` down. */
async function lowerLayers(store: ImageStore, idsKey: string, top: Digest | null): Promise<readonly LowerLayer[]> {
  const lower: LowerLayer[] = [];
  for (let chainId = top; chainId !== null;) {
    const record = await readLayerRecord(store, chainId, idsKey);
    if (record === null) {
      throw new RuntimeError("IO", `Cannot unpack a layer: the one below it, "${chainId}", is gone`, {
        hint: "The image store is damaged: run pycri system check --repair, then pull the image again.",
      });
    }
    lower.push({ diff: layerDiff(store, chainId, idsKey), record });
    chainId = record.parent;
  }
  return lower;
}

/** @returns the owners that the layers below have recorded for the directories. */
async function inheritFrom(
  lower: readonly LowerLayer[],
  unpacker: LayerUnpacker,
  directory: string,
  implied: readonly string[],
): Promise<readonly RecordedOwner[]> {
  if (lower.length === 0 || implied.length === 0) return [];
  const inherited = await unpacker.inherit({
    op: "inherit",
    directory,
    lower: lower.map(({ diff }) => diff),
    implied,
  });
  const owners = lower.map(
    ({ record }) => new Map<string, RecordedOwner>(record.recordedOwners.map((owner) => [owner.path, owner])),
  );
  return inherited.flatMap(({ path, layer }) => owners[layer]?.get(textOfBytes(`/${path}`)) ?? []);
}

async function existing(path: string): Promise<readonly string[]> {
  try {
    await stat(path);
    return [path];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * Hold a layer, and with it those below, against collection, as long as the descriptor is open in any process.
 * @returns null when the layer is not there.
 */
export function holdLayer(store: ImageStore, name: string): number | null {
  let descriptor: number;
  try {
    descriptor = openSync(store.path("layers", name, RECORD), "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  if (tryLockFile(descriptor, "shared")) return descriptor;
  // It is being removed.
  closeSync(descriptor);
  return null;
}

/** Whether somebody holds the layer itself. */
export function isLayerHeld(store: ImageStore, name: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(store.path("layers", name, RECORD), "r");
  } catch (error) {
    // A damaged layer, which no container can have been started from.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  try {
    return !tryLockFile(descriptor, "exclusive");
  } finally {
    closeSync(descriptor);
  }
}

export interface StoredLayer {
  /** Of its directory. */
  readonly name: string;
  readonly chainHex: string;
  readonly idsKey: string;
}

/** Every layer there is. */
export async function listLayers(store: ImageStore): Promise<readonly StoredLayer[]> {
  return (await readdir(store.path("layers"))).map((name) => {
    const dash = name.indexOf("-");
    return { name, chainHex: name.slice(0, dash), idsKey: name.slice(dash + 1) };
  });
}

/**
 * Take layers away: first their names, which is atomic, then their files, in a namespace that owns them. A crash in
 * between leaves files in `staging`.
 */
export async function removeLayers(
  store: ImageStore,
  namespace: WorkerNamespace,
  names: readonly string[],
): Promise<void> {
  const trash: string[] = [];
  for (const name of names) {
    const path = store.temporaryPath("staging");
    await rename(store.path("layers", name), path);
    trash.push(path);
  }
  await runRemove(namespace, trash);
}

/** The record of a layer by its directory's name. */
export async function readNamedLayer(store: ImageStore, name: string): Promise<LayerRecord> {
  const path = store.path("layers", name, RECORD);
  return parseLayerRecord(await readFile(path, "utf8"), path);
}
