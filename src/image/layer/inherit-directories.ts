/**
 * Directories that a layer's archive goes through and does not list. The layer has to have them, as overlayfs takes a
 * directory's owner, mode, times and attributes from the topmost layer that has it; so they get those of the layers below.
 */

import { type Stats, lstatSync } from "node:fs";
import { isOpaque, placeIn } from "./merged-tree.ts";
import { copyMetadata } from "./tree-copy.ts";

/** Where the attributes of a directory have come from. */
export interface InheritedDirectory {
  readonly path: string;
  /** Index in `lower`. */
  readonly layer: number;
}

/**
 * @param layer the unpacked layer
 * @param lower those below it, top first
 * @param paths of its directories, byte strings without a leading slash, "" for the root
 * @returns those that a layer below has, too, unless a whiteout, an opaque directory or a file hides it
 */
export function inheritDirectories(
  layer: string,
  lower: readonly string[],
  paths: readonly string[],
): readonly InheritedDirectory[] {
  return paths.flatMap((path) => {
    const source = findDirectory(layer, lower, path);
    if (source === null) return [];
    copyMetadata(source, placeIn(layer, path));
    return [{ path, layer: source.index }];
  });
}

/** The directory that overlayfs would show at `path` if the layer did not have it. */
function findDirectory(
  layer: string,
  lower: readonly string[],
  path: string,
): { readonly location: string | Buffer; readonly status: Stats; readonly index: number } | null {
  let candidates = [...lower.keys()];
  let top: { readonly location: string | Buffer; readonly status: Stats; readonly index: number } | null = null;
  const names = path === "" ? [] : path.split("/");
  for (let depth = 0; depth <= names.length; depth++) {
    const reached = names.slice(0, depth).join("/");
    const kept: number[] = [];
    top = null;
    for (const index of candidates) {
      const tree = lower[index] ?? "";
      const location = placeIn(tree, reached);
      const status = lstatSync(location, { throwIfNoEntry: false });
      if (status === undefined) continue;
      // A whiteout or another file: what lies below it is not seen.
      if (!status.isDirectory()) break;
      top ??= { location, status, index };
      kept.push(index);
      if (isOpaque(tree, reached)) break;
    }
    candidates = kept;
    if (depth < names.length && isOpaque(layer, reached)) return null;
  }
  return top;
}
