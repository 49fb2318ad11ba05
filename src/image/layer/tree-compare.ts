/** What a container changed: its upper directory against the layers below, in the words of `docker diff`. */

import type { TreeChange } from "../worker/jobs.ts";
import { bytesOfText, textOfBytes } from "./entry-path.ts";
import { type TreeNode, childNodes, isOpaque, rootNode, whiteoutsIn } from "./merged-tree.ts";

/** Changes in the order of their paths. `layers`: the upper directory first. `without`: paths that do not count. */
export function compareTrees(layers: readonly string[], without: readonly string[]): readonly TreeChange[] {
  const [upper, ...lower] = layers;
  if (upper === undefined) throw new Error("a comparison needs an upper directory");
  const skipped = new Set(without.map(bytesOfText));
  const changes: TreeChange[] = [];
  const add = (kind: TreeChange["kind"], path: string): void => {
    if (!skipped.has(path)) changes.push({ kind, path: `/${textOfBytes(path)}` });
  };
  /** `old`: what lies below the directory; null: nothing, or no directory. */
  const visit = (directory: TreeNode, old: TreeNode | null): void => {
    const { path } = directory;
    const before = new Map((old === null ? [] : childNodes(old)).map((child) => [child.path, child]));
    const now = childNodes(directory);
    const gone = new Set(whiteoutsIn(upper, path).map((name) => (path === "" ? name : `${path}/${name}`)));
    if (isOpaque(upper, path)) {
      const left = new Set(now.map((child) => child.path));
      for (const name of before.keys()) if (!left.has(name)) gone.add(name);
    }
    for (const name of gone) if (before.has(name)) add("D", name);
    for (const child of now) {
      const former = before.get(child.path);
      add(former === undefined ? "A" : "C", child.path);
      if (!child.status.isDirectory() || skipped.has(child.path)) continue;
      visit(child, former?.status.isDirectory() === true ? former : null);
    }
  };
  visit(rootNode([upper]), lower.length === 0 ? null : rootNode(lower));
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
