/**
 * Writes a tar archive of a container's or an image's files: names in order, hard links kept, deletions as whiteouts,
 * extended attributes as other engines write them. Runs confined, as root of the namespace that the files belong to.
 */

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  readlinkSync,
  writeSync,
} from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { listAttributes, readAttribute } from "../../sys/extended-attributes.ts";
import type { ArchiveJob } from "../worker/jobs.ts";
import { attributeFate } from "./attribute-policy.ts";
import { OPAQUE_NAME, bytesOfText, whiteoutName } from "./entry-path.ts";
import type { RecordedOwner } from "./layer-writer.ts";
import { type TreeNode, childNodes, isOpaque, resolveNode, whiteoutsIn } from "./merged-tree.ts";
import { ARCHIVE_END, type EntryHeader, encodeEntry, padding } from "./tar-writer.ts";
import { timestampOf, wholeSeconds } from "./timestamp.ts";

const CHUNK_BYTES = 256 * 1024;
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

export function writeTreeArchive(job: ArchiveJob, output: number): void {
  const layers = job.content === "diff" ? job.layers.slice(0, 1) : job.layers;
  const start = resolveNode(layers, bytesOfText(job.path), job.follow);
  if (start === null || (job.expect === "directory" && !start.status.isDirectory())) {
    const fault = start === null ? "there is no such file" : "it is not a directory";
    throw new RuntimeError("IO", `Cannot copy "/${job.path}" of the container: ${fault}`, {
      details: { path: job.path },
    });
  }
  const archive = new TreeArchive(job, start.path, output);
  archive.add(start);
  archive.end();
}

class TreeArchive {
  readonly #job: ArchiveJob;
  readonly #output: number;
  readonly #without: ReadonlySet<string>;
  /** Path of what is archived, which its name stands for. */
  readonly #start: string;
  readonly #name: string;
  /** Recorded owners by layer and path. */
  readonly #owners = new Map<string, ReadonlyMap<string, RecordedOwner>>();
  /** `device:inode` of files with several names to the first of them. */
  readonly #names = new Map<string, string>();
  readonly #buffer: Buffer = Buffer.allocUnsafe(CHUNK_BYTES);

  constructor(job: ArchiveJob, start: string, output: number) {
    this.#job = job;
    this.#output = output;
    this.#without = new Set(job.without.map(bytesOfText));
    this.#start = start;
    this.#name = bytesOfText(job.name);
  }

  /** The archived name: the start's own, and below it what follows in the path. */
  #nameOf(path: string): string {
    const below = path.slice(this.#start.length);
    return this.#name === ""
      ? below.replace(/^\//, "")
      : this.#name + (below === "" || below.startsWith("/") ? below : `/${below}`);
  }

  add(node: TreeNode): void {
    const name = this.#nameOf(node.path);
    const { status } = node;
    if (this.#without.has(node.path)) {
      // What is mounted there hides the directory's own attributes.
      const plain = {
        linkName: "",
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 0,
        mtime: wholeSeconds(0),
        attributes: NO_ATTRIBUTES,
      };
      if (this.#job.content === "merged" && status.isDirectory()) this.#write({ type: "directory", name, ...plain });
      return;
    }
    if (status.isDirectory()) {
      if (name !== "") this.#write(this.#header(node, "directory", name));
      this.#addDirectory(node, name);
    } else if (status.isSymbolicLink()) {
      const linkName = readlinkSync(node.location, { encoding: "latin1" });
      this.#write({ ...this.#header(node, "symlink", name), linkName });
    } else if (status.isFile()) {
      this.#addFile(node, name);
    } else if (status.isFIFO()) {
      this.#write(this.#header(node, "fifo", name));
    }
    // Sockets have no form in tar, and device nodes are mounts of the runtime.
  }

  end(): void {
    this.#writeBytes(ARCHIVE_END);
  }

  #addDirectory(node: TreeNode, name: string): void {
    const [layer] = node.layers;
    if (this.#job.content === "diff" && layer !== undefined) {
      const marks = whiteoutsIn(layer, node.path)
        .filter((entry) => !this.#without.has(node.path === "" ? entry : `${node.path}/${entry}`))
        .map(whiteoutName);
      if (isOpaque(layer, node.path)) marks.unshift(OPAQUE_NAME);
      const prefix = name === "" ? "" : `${name}/`;
      for (const mark of marks) {
        const empty = {
          linkName: "",
          mode: 0,
          uid: 0,
          gid: 0,
          size: 0,
          mtime: wholeSeconds(0),
          attributes: NO_ATTRIBUTES,
        };
        this.#write({ type: "file", name: prefix + mark, ...empty });
      }
    }
    for (const child of childNodes(node)) this.add(child);
  }

  #addFile(node: TreeNode, name: string): void {
    const { status } = node;
    const key = `${status.dev}:${status.ino}`;
    const first = this.#names.get(key);
    if (first !== undefined) {
      this.#write({ ...this.#header(node, "link", name), linkName: first, attributes: NO_ATTRIBUTES });
      return;
    }
    if (status.nlink > 1) this.#names.set(key, name);
    const descriptor = openSync(node.location, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      // A running container may have put something else there meanwhile.
      if (!fstatSync(descriptor).isFile()) return;
      this.#write({ ...this.#header(node, "file", name), size: status.size });
      this.#copy(descriptor, status.size);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Exactly `size` bytes, as the header has promised: a file that shrinks meanwhile is filled up with zeros. */
  #copy(descriptor: number, size: number): void {
    let left = size;
    while (left > 0) {
      const wanted = Math.min(left, this.#buffer.length);
      const count = readSync(descriptor, this.#buffer, 0, wanted, null);
      const chunk = count === 0 ? this.#buffer.subarray(0, wanted).fill(0) : this.#buffer.subarray(0, count);
      this.#writeBytes(chunk);
      left -= chunk.length;
    }
    this.#writeBytes(padding(size));
  }

  #header(node: TreeNode, type: EntryHeader["type"], name: string): EntryHeader {
    const { status } = node;
    const { uid, gid } = this.#ownerOf(node) ?? status;
    return {
      type,
      name,
      linkName: "",
      mode: status.mode & 0o7777,
      uid,
      gid,
      size: 0,
      mtime: timestampOf(lstatSync(node.location, { bigint: true }).mtimeNs),
      attributes: readAttributes(node),
    };
  }

  /** The owner that `layer.json` beside a layer's directory records, where the layer's files belong to one id. */
  #ownerOf(node: TreeNode): RecordedOwner | undefined {
    const [layer = ""] = node.layers;
    let owners = this.#owners.get(layer);
    if (owners === undefined) {
      // Only a layer of the store has a record beside it; what a container has there is its own.
      owners = layer.endsWith("/diff") ? readRecordedOwners(`${layer}/../layer.json`) : new Map();
      this.#owners.set(layer, owners);
    }
    return owners.get(node.path);
  }

  #write(header: EntryHeader): void {
    this.#writeBytes(encodeEntry(header));
  }

  #writeBytes(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.byteLength) written += writeSync(this.#output, bytes, written);
  }
}

function readRecordedOwners(path: string): ReadonlyMap<string, RecordedOwner> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    // Another directory of that name.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const { recordedOwners } = JSON.parse(text) as { readonly recordedOwners: readonly RecordedOwner[] };
  return new Map(recordedOwners.map((owner) => [bytesOfText(owner.path).slice(1), owner]));
}

function readAttributes(node: TreeNode): ReadonlyMap<string, string> {
  const names = listAttributes(node.location);
  if (names.length === 0) return NO_ATTRIBUTES;
  const attributes = new Map<string, string>();
  for (const name of names) {
    const value = readAttribute(node.location, name);
    const text = value === null ? "" : Buffer.from(value).toString("latin1");
    if (attributeFate(name, text) === "set") attributes.set(name, text);
  }
  return attributes;
}
