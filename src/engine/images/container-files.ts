/** The files of a container, running or ended: what they are made of, and how a worker gets at them. */

import { closeSync, constants, openSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import type { WorkerNamespace, WorkerView } from "../../image/worker/run-worker.ts";
import type { ContainerFiles } from "../../store/container-record.ts";
import { type ContainerState, findContainer } from "../../store/container-store.ts";
import type { ImageContext } from "./image-context.ts";
import { makeMappedNamespace } from "./worker-namespace.ts";

/** fcntl.h; Node does not name it. */
const O_PATH = 0o10000000;

/** Names of the worker's trees. */
const LOWER = "lower";
const CONTAINER = "container";

export interface ContainerAccess {
  readonly state: ContainerState;
  readonly files: ContainerFiles;
  /** With the ids of the container. */
  readonly namespace: WorkerNamespace;
}

/** @throws RuntimeError CONTAINER_NOT_FOUND, INVALID_STATE. */
export function openContainer({ facts, settings }: ImageContext, wanted: string): ContainerAccess {
  const state = findContainer(facts.runtimeDirectory, wanted);
  const { files } = state.config;
  if (files === null) {
    throw new RuntimeError("INVALID_STATE", `Cannot reach the files of container "${wanted}": they are the host's own`);
  }
  return { state, files, namespace: makeMappedNamespace(files, facts, settings.zstdProgram) };
}

/** The container's directories, unmounted. */
export interface ContainerTrees {
  readonly view: WorkerView;
  /** Below the view, top first; the first is the one that the container writes to. */
  readonly layers: readonly string[];
}

/** @throws RuntimeError INVALID_STATE when what the container wrote is, or was, in memory. */
export function containerTrees(access: ContainerAccess, action: string): ContainerTrees {
  const { path, layers, layer, through } = access.files;
  if (through) return { view: { kind: "trees", trees: [{ path, name: LOWER }] }, layers: [LOWER] };
  if (layer === null) throw nothingKept(access, action);
  return {
    view: {
      kind: "trees",
      trees: [
        { path, name: LOWER },
        { path: layer, name: CONTAINER },
      ],
    },
    layers: [`${CONTAINER}/upper`, ...(layers?.map((lower) => `${LOWER}/${lower}`) ?? [LOWER])],
  };
}

/** As `containerTrees`, for what needs to know them apart from what lies below. */
export function containerChanges(access: ContainerAccess, action: string): ContainerTrees {
  if (access.files.layer === null) throw nothingKept(access, action);
  return containerTrees(access, action);
}

/** The merged tree of a container that has ended, writable. @throws as `containerTrees`. */
export function containerOverlay(access: ContainerAccess, action: string): WorkerView {
  const { path, layers, layer, through } = access.files;
  if (layer === null && !through) throw nothingKept(access, action);
  return { kind: "overlay", path, layers, layer };
}

function nothingKept({ state, files }: ContainerAccess, action: string): RuntimeError {
  const { id, name } = state.config;
  const fault = files.through ? `it writes to "${files.path}" itself` : "nothing keeps what it writes";
  return new RuntimeError("INVALID_STATE", `Cannot ${action} container "${name ?? id.slice(0, 12)}": ${fault}`, {
    hint: "Run an image with --name and without --rm, or anything with --upper DIR, to keep what it writes.",
  });
}

/** Where `containerOverlay` is mounted. */
export const OVERLAY_ROOT = "root";

/** The root directory of a running container, as the container sees it; null when it does not run. */
export function openLiveRoot({ state }: ContainerAccess): (Disposable & { readonly descriptor: number }) | null {
  if (state.status !== "running" || state.pid === null) return null;
  let descriptor: number;
  try {
    descriptor = openSync(`/proc/${state.pid}/root`, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    // It has just ended.
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}

/** Paths as jobs have them: without the leading slash. */
export function mountPointsOf({ files }: ContainerAccess): readonly string[] {
  return files.mountPoints.map((path) => path.slice(1));
}
