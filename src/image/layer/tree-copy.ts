/**
 * Copies directory trees that overlayfs would show as one into a directory: the root filesystem of a container where no
 * overlay can be mounted. Hard links, owners, modes, times and extended attributes are kept.
 */

import {
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { listAttributes, readAttribute, setAttribute } from "../../sys/extended-attributes.ts";
import { setPathTime } from "../../sys/file-times.ts";
import { makeFifo } from "../../sys/special-files.ts";
import { attributeFate } from "./attribute-policy.ts";
import { type TreeNode, childNodes, placeIn, rootNode } from "./merged-tree.ts";
import { timestampOf } from "./timestamp.ts";

/** `target` is an empty directory. */
export function copyTree(layers: readonly string[], target: string): void {
  const links = new Map<string, string | Buffer>();
  const copy = (node: TreeNode): void => {
    const place = placeIn(target, node.path);
    if (!copyContent(node, place, links)) return;
    if (node.status.isDirectory()) for (const child of childNodes(node)) copy(child);
    copyMetadata(node, place);
  };
  copy(rootNode(layers));
}

/** Gives a file the owner, mode, extended attributes and time of another, but not what they say to overlayfs. */
export function copyMetadata(
  { location, status }: Pick<TreeNode, "location" | "status">,
  place: string | Buffer,
): void {
  lchownSync(place, status.uid, status.gid);
  // After chown(2), which takes the set-id bits away.
  if (!status.isSymbolicLink()) chmodSync(place, status.mode & 0o7777);
  copyAttributes(location, place);
  // Last: everything above changes a directory's.
  setPathTime(place, timestampOf(lstatSync(location, { bigint: true }).mtimeNs));
}

/** @returns false when nothing is left to be set: another name of a file that was copied, or what is not copied at all. */
function copyContent(node: TreeNode, place: string | Buffer, links: Map<string, string | Buffer>): boolean {
  const { status, location, path } = node;
  if (status.isDirectory()) {
    if (path !== "") mkdirSync(place, 0o700);
    return true;
  }
  const key = `${status.dev}:${status.ino}`;
  const first = status.nlink > 1 ? links.get(key) : undefined;
  if (first !== undefined) {
    linkSync(first, place);
    return false;
  }
  links.set(key, place);
  if (status.isSymbolicLink()) symlinkSync(readlinkSync(location, { encoding: "buffer" }), place);
  else if (status.isFile()) copyFileSync(location, place, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  else if (status.isFIFO()) makeFifo(place, 0o600);
  else return false;
  return true;
}

function copyAttributes(location: string | Buffer, place: string | Buffer): void {
  for (const name of listAttributes(location)) {
    const value = readAttribute(location, name);
    if (value === null || attributeFate(name, Buffer.from(value).toString("latin1")) !== "set") continue;
    setAttribute(place, name, value);
  }
}
