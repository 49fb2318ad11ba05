/** What a container changed: its upper directory against the layers below, in the words of `docker diff`. */

import { lstatSync } from "node:fs";
import type { TreeChange } from "../worker/jobs.ts";
import { bytesOfText, textOfBytes } from "./entry-path.ts";
import { type TreeNode, childNodes, findNode, isOpaque, placeIn, rootNode, whiteoutsIn } from "./merged-tree.ts";

/** Changes in the order of their paths. `layers`: the upper directory first. */
export function compareTrees(layers: readonly string[], without: readonly string[]): readonly TreeChange[] {
  const [upper, ...lower] = layers;
  if (upper === undefined) throw new Error("a comparison needs an upper directory");
  const skipped = new Set(without.map(bytesOfText));
  const changes: TreeChange[] = [];
  const below = (path: string): TreeNode | null => (lower.length === 0 ? null : findNode(lower, path));
  const add = (kind: TreeChange["kind"], path: string): void => {
    changes.push({ kind, path: `/${textOfBytes(path)}` });
  };
  const visit = (directory: TreeNode): void => {
    const { path } = directory;
    const deleted = new Set(whiteoutsIn(upper, path).map((name) => (path === "" ? name : `${path}/${name}`)));
    const old = below(path);
    if (old !== null && isOpaque(upper, path)) {
      for (const child of childNodes(old)) {
        if (lstatSync(placeIn(upper, child.path), { throwIfNoEntry: false }) === undefined) deleted.add(child.path);
      }
    }
    for (const name of deleted) if (!skipped.has(name) && below(name) !== null) add("D", name);
    for (const child of childNodes(directory)) {
      if (skipped.has(child.path)) continue;
      add(below(child.path) === null ? "A" : "C", child.path);
      if (child.status.isDirectory()) visit(child);
    }
  };
  visit(rootNode([upper]));
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
