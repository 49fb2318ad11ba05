/** `pycri export` and `pycri diff`: a container's files as an archive, and how they differ from its image's. */

import type { ArchiveJob, TreeChange } from "../../image/worker/jobs.ts";
import { runArchive, runCompare } from "../../image/worker/run-worker.ts";
import { containerChanges, containerTrees, mountPointsOf, openContainer, openLiveRoot } from "./container-files.ts";
import type { ImageContext } from "./image-context.ts";

const EVERYTHING = { op: "archive", path: "", name: "", follow: false, expect: "any", content: "merged" } as const;

/** A tar archive of the root filesystem, without what is mounted in it. */
export async function* exportContainer(context: ImageContext, wanted: string): AsyncGenerator<Uint8Array> {
  const access = openContainer(context, wanted);
  const without = mountPointsOf(access);
  using live = openLiveRoot(access);
  if (live !== null) {
    yield* runArchive(access.namespace, { ...EVERYTHING, root: null, layers: ["."], without }, live.descriptor);
    return;
  }
  const { view, layers } = containerTrees(access, "export");
  const job: ArchiveJob = { ...EVERYTHING, root: ".", layers, without };
  yield* runArchive(access.namespace, job, view);
}

/** What the container added, changed and deleted, in the order of paths. */
export async function diffContainer(context: ImageContext, wanted: string): Promise<readonly TreeChange[]> {
  const access = openContainer(context, wanted);
  const { view, layers } = containerChanges(access, "compare");
  return runCompare(access.namespace, { op: "compare", root: ".", layers, without: mountPointsOf(access) }, view);
}
