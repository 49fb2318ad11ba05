/**
 * The root filesystem: how `root.path` and the wish for writes become the mount that the container pivots into.
 *
 * A root filesystem is a lower layer nobody writes to; an overlay takes the writes. The kernel mounts overlays in user
 * namespaces since Linux 5.11; where it refuses (a lower layer with mounts below it, an exotic file system),
 * fuse-overlayfs does the same, and a copy is the last resort.
 */

import { MOUNT_ATTR, MS } from "../oci/mount-options.ts";
import type { Root } from "../oci/spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { PrivateDirectory } from "./host-root.ts";
import { isWithin } from "./container-path.ts";
import type { RootMode } from "./launch-options.ts";
import { ANCHOR, type ContainerOperation, CREATE } from "./operations.ts";
import type { Slots } from "./slots.ts";

/** Places on the stage. */
const STAGE = { lower: "lower", layer: "layer", root: "root", proc: "proc" } as const;

export interface RootPlan {
  /** Before `enterStage`. */
  readonly sources: readonly ContainerOperation[];
  /** Between `enterStage` and `pivotStage`: ends with the root at the stage's `root`. */
  readonly stage: readonly ContainerOperation[];
  /** After `openRoot`, before the Spec's mounts. */
  readonly cover: readonly ContainerOperation[];
  /** After everything that creates something in the root. */
  readonly seal: readonly ContainerOperation[];
}

export interface RootContext {
  readonly facts: HostFacts;
  readonly slots: Slots;
  /** In a user namespace overlayfs keeps its attributes in user.overlay.*; trusted.* is out of reach. */
  readonly userNamespace: boolean;
  readonly ownPidNamespace: boolean;
  /** Cut the clone off from what the host mounts later: see `wantsHostPropagation`. */
  readonly inheritsPropagation: boolean;
}

export function planRoot(root: Root, mode: RootMode, context: RootContext): RootPlan {
  const seal = root.readonly === true ? [setReadOnly()] : [];
  if (mode.kind === "host") {
    const attributes = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV;
    const { source, attach } = bindRoot(root.path, attributes, context);
    return { sources: [source], stage: attach, cover: coverPrivateDirectories(mode.hidden, context.slots), seal: [] };
  }
  if (mode.writes.kind === "through") {
    const { source, attach } = bindRoot(root.path, withoutDevices(context), context);
    return { sources: [source], stage: attach, cover: [], seal };
  }
  const lower = { path: root.path, layers: mode.layers ?? null, copier: mode.copier ?? [] };
  return { ...planOverlay(lower, mode.writes, context), cover: [], seal };
}

/** Directories of the host, read-only, on the stage under names of their own. */
export function planTrees(
  trees: readonly { readonly path: string; readonly name: string }[],
  slots: Slots,
): Pick<RootPlan, "sources" | "stage"> {
  const sources: ContainerOperation[] = [];
  const stage: ContainerOperation[] = [];
  for (const { path, name } of trees) {
    const slot = slots.take();
    sources.push({ op: "openTree", slot, path, recursive: 1 });
    stage.push(makeStageDirectory(name, 0o755), attachToStage(slot, name, MOUNT_ATTR.RDONLY, MS.PRIVATE));
  }
  return { sources, stage };
}

/** True for a target that can be made where it is missing: a host root is read-only except for its private parts. */
export function canCreateIn(mode: RootMode): (target: string) => boolean {
  return (target) => mode.kind === "directory" || mode.hidden.some((entry) => isWithin(target, entry.path));
}

function setReadOnly(): ContainerOperation {
  return {
    op: "setMountAttributes",
    anchor: ANCHOR.root,
    path: "/",
    set: MOUNT_ATTR.RDONLY,
    clear: 0n,
    propagation: 0n,
    recursive: 0,
  };
}

/** Recursively: a user namespace may not uncover what lies below a mount of the host (mount_namespaces(7)). */
function bindRoot(
  path: string,
  attributes: bigint,
  context: RootContext,
): { readonly source: ContainerOperation; readonly attach: readonly ContainerOperation[] } {
  const slot = context.slots.take();
  return {
    source: { op: "openTree", slot, path, recursive: 1 },
    attach: [
      makeStageDirectory(STAGE.root, 0o755),
      attachToStage(slot, STAGE.root, attributes, context.inheritsPropagation ? MS.PRIVATE : 0n),
    ],
  };
}

function coverPrivateDirectories(
  directories: readonly PrivateDirectory[],
  slots: Slots,
): readonly ContainerOperation[] {
  return directories.flatMap((directory, index): readonly ContainerOperation[] => {
    const slot = slots.take();
    // Inside another private directory there is nothing yet; elsewhere a missing directory needs no cover.
    const inside = directories.slice(0, index).some((parent) => isWithin(directory.path, parent.path));
    return [
      {
        op: "mount",
        slot,
        type: "tmpfs",
        source: "tmpfs",
        options: [`mode=${directory.mode.toString(8)}`, `uid=${directory.uid}`, `gid=${directory.gid}`],
        attributes: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV,
      },
      {
        op: "attach",
        slot,
        anchor: ANCHOR.root,
        target: directory.path,
        create: inside ? CREATE.matching : CREATE.skip,
        set: 0n,
        clear: 0n,
        propagation: 0n,
        recursive: 0,
      },
    ];
  });
}

/** What an overlay shows below its upper layer: one directory, or several below one, top first. */
interface LowerLayers {
  readonly path: string;
  readonly layers: readonly string[] | null;
  /** Program and first arguments that merge several of them into one tree; empty: there is none. */
  readonly copier: readonly string[];
}

/** fsconfig(2) takes parameter values of 255 bytes. */
const LONGEST_PARAMETER = 255;

function planOverlay(
  { path, layers: lowerLayers, copier }: LowerLayers,
  writes: { readonly kind: "discard" | "refuse" } | { readonly kind: "upper"; readonly path: string },
  context: RootContext,
): Pick<RootPlan, "sources" | "stage"> {
  const { facts, slots } = context;
  const propagation = context.inheritsPropagation ? MS.PRIVATE : 0n;
  const lower = slots.take();
  const sources: ContainerOperation[] = [{ op: "openTree", slot: lower, path, recursive: 1 }];
  const stage: ContainerOperation[] = [
    makeStageDirectory(STAGE.lower, 0o755),
    attachToStage(lower, STAGE.lower, MOUNT_ATTR.RDONLY, propagation),
    makeStageDirectory(STAGE.layer, 0o755),
  ];
  if (writes.kind === "upper") {
    const layer = slots.take();
    sources.push({ op: "openTree", slot: layer, path: writes.path, recursive: 1 });
    stage.push(attachToStage(layer, STAGE.layer, 0n, propagation));
  }
  // Both below one mount, as overlayfs wants. Owner and mode of the upper layer are those of the container's "/": an image
  // says what they are, whereas a directory's may be those of a temporary one, closed to all but its owner.
  const [topLayer] = lowerLayers ?? [];
  const upper = `${STAGE.layer}/upper`;
  stage.push(
    topLayer === undefined
      ? makeStageDirectory(upper, 0o755)
      : { op: "makeDirectoryLike", anchor: ANCHOR.stage, path: upper, like: `${STAGE.lower}/${topLayer}` },
    makeStageDirectory(`${STAGE.layer}/work`, 0o700),
    makeStageDirectory(STAGE.root, 0o755),
  );

  // Short names: the layers' own would not fit into one parameter.
  const lowerNames = lowerLayers?.map((_, index) => `l${index}`) ?? [STAGE.lower];
  const lowerPaths = lowerLayers?.map((layer) => `${STAGE.lower}/${layer}`) ?? [STAGE.lower];
  for (const [index, target] of lowerLayers === null ? [] : lowerPaths.entries()) {
    stage.push({ op: "makeSymlink", anchor: ANCHOR.stage, path: `l${index}`, target });
  }
  const together = `lowerdir=${lowerNames.join(":")}`;
  // One by one since Linux 6.7, for images with some sixty layers and more.
  const lowerOptions =
    together.length <= LONGEST_PARAMETER ? [together] : lowerNames.map((name) => `lowerdir+=${name}`);
  const writable = [`upperdir=${upper}`, `workdir=${STAGE.layer}/work`];
  const layers = [together, ...writable].join(",");
  const overlay = slots.take();
  const kernelOverlay: readonly ContainerOperation[] = [
    {
      op: "mount",
      slot: overlay,
      type: "overlay",
      source: "overlay",
      options: [...lowerOptions, ...writable, ...(context.userNamespace ? ["userxattr"] : [])],
      attributes: 0n,
    },
    attachToStage(overlay, STAGE.root, withoutDevices(context), 0n),
  ];
  // Without a PID namespace to die with, it would outlive the container.
  const fuseOverlay: readonly ContainerOperation[] =
    facts.fuseOverlayfs === null || !context.ownPidNamespace
      ? []
      : [
          { op: "requestProgram", path: facts.fuseOverlayfs, arguments: ["fuse-overlayfs", "-o", layers, STAGE.root] },
          ...stageProc(slots),
          { op: "warn", message: "overlayfs cannot be mounted here; using fuse-overlayfs, which is slower" },
        ];
  // A copy would not leave its changes in the upper layer.
  const copy = writes.kind === "upper" ? [] : copyRoot(lowerPaths, copier, context);

  if (fuseOverlay.length > 0) {
    stage.push(...attempt(kernelOverlay, copy.length > 0 ? attempt(fuseOverlay, copy) : fuseOverlay));
  } else if (copy.length > 0) {
    stage.push(...attempt(kernelOverlay, copy));
  } else {
    stage.push(...kernelOverlay);
  }
  return { sources, stage };
}

/**
 * fuse-overlayfs lives on in the container's namespaces, reads its own /proc/self/fd, and is moved along by pivot_root(2):
 * so the stage must have a /proc, too.
 */
function stageProc(slots: Slots): readonly ContainerOperation[] {
  const slot = slots.take();
  return [
    { op: "mount", slot, type: "proc", source: "proc", options: [], attributes: 0n },
    makeStageDirectory(STAGE.proc, 0o555),
    attachToStage(slot, STAGE.proc, 0n, 0n),
  ];
}

/**
 * In a user namespace device files are bound, never made: one that lies in a root filesystem was planted there, and
 * would be the host's.
 */
function withoutDevices(context: RootContext): bigint {
  return context.userNamespace ? MOUNT_ATTR.NODEV : 0n;
}

/** cp(1) does for one directory; what a layer deletes it does not know. */
function copyRoot(
  lowerPaths: readonly string[],
  copier: readonly string[],
  context: RootContext,
): readonly ContainerOperation[] {
  const [lowest = ""] = lowerPaths;
  const job = JSON.stringify({ op: "copy", layers: lowerPaths, target: STAGE.root });
  const command = lowerPaths.length === 1 ? ["/bin/cp", "-a", `${lowest}/.`, STAGE.root] : [...copier, job];
  const [program] = command;
  if (program === undefined || (lowerPaths.length > 1 && copier.length === 0)) return [];
  const slot = context.slots.take();
  return [
    { op: "warn", message: "overlayfs cannot be mounted here; copying the root filesystem into memory" },
    { op: "mount", slot, type: "tmpfs", source: "tmpfs", options: ["mode=755"], attributes: 0n },
    attachToStage(slot, STAGE.root, withoutDevices(context), 0n),
    { op: "requestProgram", path: program, arguments: command },
  ];
}

function attempt(
  first: readonly ContainerOperation[],
  otherwise: readonly ContainerOperation[],
): readonly ContainerOperation[] {
  return [{ op: "attempt", first: first.length, otherwise: otherwise.length }, ...first, ...otherwise];
}

function makeStageDirectory(path: string, mode: number): ContainerOperation {
  return { op: "makeDirectory", anchor: ANCHOR.stage, path, mode };
}

function attachToStage(slot: number, target: string, set: bigint, propagation: bigint): ContainerOperation {
  return {
    op: "attach",
    slot,
    anchor: ANCHOR.stage,
    target,
    create: CREATE.nothing,
    set,
    clear: 0n,
    propagation,
    recursive: 1,
  };
}
