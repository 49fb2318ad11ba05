/**
 * Directory trees that overlayfs shows as one, read without mounting them: which tree a name comes from, whiteouts and
 * opaque directories (Documentation/filesystems/overlayfs.rst). Paths are byte strings without a leading slash, "" for the root; a path is
 * only ever followed through real directories.
 */

import { type Stats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { readAttribute } from "../../sys/extended-attributes.ts";
import { fsPath, textOfBytes } from "./entry-path.ts";

const OPAQUE_ATTRIBUTES = ["user.overlay.opaque", "user.fuseoverlayfs.opaque"];

export interface TreeNode {
  /** Below the root of the trees. */
  readonly path: string;
  /** Where the file itself lies. */
  readonly location: string | Buffer;
  readonly status: Stats;
  /** For a directory: the trees that it is merged from, top first. */
  readonly layers: readonly string[];
}

/** The root of trees given top first. */
export function rootNode(layers: readonly string[]): TreeNode {
  const [top] = layers;
  if (top === undefined) throw new Error("a merged tree has at least one layer");
  const location = fsPath(top);
  return { path: "", location, status: lstatSync(location), layers: visibleLayers(layers, "") };
}

/** The entries of a directory, by name. */
export function childNodes(directory: TreeNode): readonly TreeNode[] {
  const found = new Map<string, { readonly status: Stats; readonly layers: string[] }>();
  const hidden = new Set<string>();
  for (const layer of directory.layers) {
    for (const name of listNames(layer, directory.path)) {
      if (hidden.has(name)) continue;
      const status = lstatSync(placeIn(layer, join(directory.path, name)));
      const known = found.get(name);
      if (isWhiteout(status)) hidden.add(name);
      else if (known === undefined) found.set(name, { status, layers: [layer] });
      else if (known.status.isDirectory() && status.isDirectory()) known.layers.push(layer);
      // A file above ends the merging, and so does a file below a directory.
      if (!status.isDirectory()) hidden.add(name);
    }
  }
  return [...found.keys()].toSorted().flatMap((name) => {
    const entry = found.get(name);
    const top = entry?.layers[0];
    if (entry === undefined || top === undefined) return [];
    const path = join(directory.path, name);
    const layers = entry.status.isDirectory() ? visibleLayers(entry.layers, path) : entry.layers;
    return [{ path, location: placeIn(top, path), status: entry.status, layers }];
  });
}

/** As the kernel's. */
const MAX_SYMLINKS = 40;

/**
 * The node at a path as a process in the trees would find it: symlinks on the way are followed, and with `follow` one at
 * the end, too; ".." of the root is the root.
 */
export function resolveNode(layers: readonly string[], path: string, follow: boolean): TreeNode | null {
  const root = rootNode(layers);
  const way = [root];
  const left = components(path);
  let links = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === "..") {
      if (way.length > 1) way.pop();
      continue;
    }
    const directory = way.at(-1) ?? root;
    const wanted = join(directory.path, name);
    const next = directory.status.isDirectory()
      ? childNodes(directory).find((child) => child.path === wanted)
      : undefined;
    if (next === undefined) return null;
    if (!next.status.isSymbolicLink() || (left.length === 0 && !follow)) {
      way.push(next);
      continue;
    }
    if (++links > MAX_SYMLINKS) {
      throw new RuntimeError("IO", `Cannot follow "/${textOfBytes(path)}" of the container: too many symlinks`);
    }
    const target = readlinkSync(next.location, { encoding: "latin1" });
    if (target.startsWith("/")) way.length = 1;
    left.unshift(...components(target));
  }
  return way.at(-1) ?? root;
}

function components(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Names in one tree's directory that delete what lies below. */
export function whiteoutsIn(layer: string, path: string): readonly string[] {
  return listNames(layer, path).filter((name) => isWhiteout(lstatSync(placeIn(layer, join(path, name)))));
}

export function isOpaque(layer: string, path: string): boolean {
  const place = placeIn(layer, path);
  return OPAQUE_ATTRIBUTES.some((name) => {
    const value = readAttribute(place, name);
    return value !== null && Buffer.from(value).toString("latin1") === "y";
  });
}

/** The trees down to the first one that is opaque at this path. */
function visibleLayers(layers: readonly string[], path: string): readonly string[] {
  const opaque = layers.findIndex((layer) => isOpaque(layer, path));
  return opaque === -1 ? layers : layers.slice(0, opaque + 1);
}

function listNames(layer: string, path: string): readonly string[] {
  return readdirSync(placeIn(layer, path), { encoding: "latin1" });
}

export function placeIn(layer: string, path: string): string | Buffer {
  return fsPath(path === "" ? layer : `${layer}/${path}`);
}

function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

export function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0;
}
