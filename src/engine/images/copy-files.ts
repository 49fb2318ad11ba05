/** `pycri cp`: files between the host and a container, running or ended. Where things go is Docker's rule. */

import { realpathSync, statSync } from "node:fs";
import { basename, dirname, posix, resolve } from "node:path";
import { RuntimeError } from "../../errors.ts";
import type { ArchiveJob, ExtractJob } from "../../image/worker/jobs.ts";
import { runArchive, runExtract } from "../../image/worker/run-worker.ts";
import {
  type ContainerAccess,
  OVERLAY_ROOT,
  containerOverlay,
  containerTrees,
  openContainer,
  openLiveRoot,
} from "./container-files.ts";
import type { ImageContext } from "./image-context.ts";
import { makeWorkerNamespace } from "./worker-namespace.ts";

export interface CopyOptions {
  /** Copy what a symlink leads to, where the source is one. */
  readonly follow: boolean;
  /** Keep numeric owners; else copies belong to whoever owns the destination: the container's root, or the caller. */
  readonly keepOwners: boolean;
  readonly onBytes: (count: number) => void;
}

/** What a source names. */
interface Source {
  /** What its copy is called. */
  readonly name: string;
  /** `path/.`: what is in a directory rather than the directory. */
  readonly contents: boolean;
  readonly expect: ArchiveJob["expect"];
}

function readSource(path: string): Source {
  const name = posix.basename(posix.normalize(path));
  const contents = /(?:^|\/)\.\.?$/.test(path) || name === "" || name === "/";
  return {
    // Contents have no name of their own; the archive needs one for the directory.
    name: contents ? "contents" : name,
    contents,
    expect: contents || path.endsWith("/") ? "directory" : "any",
  };
}

/** A tar archive of what lies at `path` in the container. */
export async function* archiveFromContainer(
  context: ImageContext,
  wanted: string,
  path: string,
  options: CopyOptions,
): AsyncGenerator<Uint8Array> {
  const access = openContainer(context, wanted);
  const { name, expect } = readSource(path);
  const job = {
    op: "archive",
    content: "merged",
    path: path.replace(/^\/+/, ""),
    name,
    follow: options.follow,
    expect,
    without: [],
  } as const;
  using live = openLiveRoot(access);
  if (live === null) {
    const { view, layers } = containerTrees(access, "copy from");
    yield* runArchive(access.namespace, { ...job, root: ".", layers }, view);
  } else {
    yield* runArchive(access.namespace, { ...job, root: null, layers: ["."] }, live.descriptor);
  }
}

/** Copy `path` of the container to `destination` on the host. */
export async function copyFromContainer(
  context: ImageContext,
  wanted: string,
  path: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const access = openContainer(context, wanted);
  const target = resolve(destination);
  const isDirectory = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  const root = isDirectory ? target : dirname(target);
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot copy to "${destination}": there is no directory "${root}"`);
  }
  const slash = destination.endsWith("/") ? "/" : "";
  const job: ExtractJob = {
    op: "extract",
    root,
    target: isDirectory ? "" : basename(target) + slash,
    place: readSource(path).contents ? "contents" : "entry",
    owners: options.keepOwners ? "archive" : "root",
  };
  // The caller's files belong to the caller, who is root in a namespace of one id.
  const { facts } = context;
  const namespace = options.keepOwners ? access.namespace : makeWorkerNamespace({ kind: "single" }, facts, null);
  const archive = counted(archiveFromContainer(context, wanted, path, options), options.onBytes);
  await runExtract(namespace, job, archive, null);
}

/** Copy `source` of the host, or an archive, to `path` in the container. */
export async function copyToContainer(
  context: ImageContext,
  source: string | AsyncIterable<Uint8Array>,
  wanted: string,
  path: string,
  options: CopyOptions,
): Promise<void> {
  const access = openContainer(context, wanted);
  const isArchive = typeof source !== "string";
  const archive = isArchive ? source : archiveFromHost(context, access, source, options);
  const place = isArchive ? "archive" : readSource(source).contents ? "contents" : "entry";
  const owners = isArchive || options.keepOwners ? "archive" : "root";
  const job = { op: "extract", target: path.replace(/^\/+/, ""), place, owners } as const;
  const chunks = counted(archive, options.onBytes);
  using live = openLiveRoot(access);
  if (live === null) {
    await runExtract(access.namespace, { ...job, root: OVERLAY_ROOT }, chunks, containerOverlay(access, "copy to"));
  } else {
    await runExtract(access.namespace, { ...job, root: null }, chunks, live.descriptor);
  }
}

function archiveFromHost(
  { facts }: ImageContext,
  access: ContainerAccess,
  source: string,
  options: CopyOptions,
): AsyncIterable<Uint8Array> {
  const { name, expect } = readSource(source);
  let place: string;
  try {
    const absolute = resolve(source);
    place = options.follow ? realpathSync(absolute) : resolve(realpathSync(dirname(absolute)), basename(absolute));
  } catch (cause) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot copy "${source}": there is no such file or directory`, {
      cause,
    });
  }
  const job: ArchiveJob = {
    op: "archive",
    root: dirname(place),
    layers: ["."],
    content: "merged",
    path: basename(place),
    name,
    // `directory/` means where a symlink leads, as everywhere.
    follow: options.follow || expect === "directory",
    expect,
    without: [],
  };
  const namespace = options.keepOwners ? access.namespace : makeWorkerNamespace({ kind: "single" }, facts, null);
  return runArchive(namespace, job, null);
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onBytes(chunk.byteLength);
    yield chunk;
  }
}
