/**
 * Writes the entries of a layer archive into a lower directory of overlayfs. Runs in the user namespace whose ids the
 * layer is for, confined to that directory by chroot(2): a path that leads outside does not exist here, so symlinks may
 * be followed as the archive means them, and only what is wrong within the layer needs care.
 *
 * All calls are synchronous: the work per file is a handful of short system calls, and waiting for each in turn is what
 * makes unpacking slow.
 */

import {
  type Stats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { setAttribute } from "../../sys/extended-attributes.ts";
import { setDescriptorTime, setPathTime } from "../../sys/file-times.ts";
import { makeFifo, makeWhiteout } from "../../sys/special-files.ts";
import { attributeFate, portableCapability } from "./attribute-policy.ts";
import { classifyName, fsPath, isBelowAufs, splitEntryPath, textOfBytes } from "./entry-path.ts";
import type { LayerAccount } from "./limits.ts";
import { LeadingMap, type SparseSegment, badMap } from "./sparse-map.ts";
import type { EntrySink, TarEntry } from "./tar-reader.ts";
import type { Timestamp } from "./timestamp.ts";

export interface LayerWriterOptions {
  /** Prefix of every path: "" after chroot(2). */
  readonly root: string;
  /** Nothing lies below: whiteouts have nothing to hide. */
  readonly bottom: boolean;
  /** `apply` needs a mapping for the ids; `record` leaves every file to the caller and reports the owners. */
  readonly owners: "apply" | "record";
  readonly account: LayerAccount;
  /**
   * `layer`: names that begin with `.wh.` delete, and what comes later replaces what was there. `files`: names are names,
   * directories and other files do not replace each other.
   */
  readonly content?: "layer" | "files";
}

/** A file that belongs to somebody else than the layer's files can. */
export interface RecordedOwner {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

export interface LayerReport {
  readonly entries: number;
  /** Bytes of the files. */
  readonly bytes: number;
  /** What was left out, in words; the first hundred. */
  readonly notes: readonly string[];
  readonly recordedOwners: readonly RecordedOwner[];
  /**
   * Directories that the archive goes through and does not list, as byte strings without a leading slash, parents first:
   * what they are like is for the layers below to say (`inherit-directories.ts`). "" is the root.
   */
  readonly implied: readonly string[];
}

interface DirectoryAttributes {
  readonly mode: number;
  readonly mtime: Timestamp;
}

const MAX_NOTES = 100;
const SPECIAL_BITS = 0o7000;
const PARENT_MODE = 0o755;
const OPAQUE_ATTRIBUTE = "user.overlay.opaque";
const PLAIN_NAME = { kind: "entry" } as const;
const CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export class LayerWriter {
  readonly #options: LayerWriterOptions;
  readonly #account: LayerAccount;
  readonly #notes: string[] = [];
  /** Directories known to exist, so that each is looked at once, by the paths that lead to them without a symlink. */
  readonly #known = new Map<string, string>();
  /** Modes and times of directories, set at the end: until then entries are being made in them. */
  readonly #directories = new Map<string, DirectoryAttributes>();
  readonly #owners = new Map<string, RecordedOwner>();
  readonly #implied = new Set<string>();
  readonly #plain: boolean;

  constructor(options: LayerWriterOptions) {
    this.#options = options;
    this.#plain = options.content === "files";
    this.#account = options.account;
    this.#known.set(options.root, options.root);
    this.#implied.add(options.root);
  }

  /** Make an entry; the sink takes a file's contents. */
  begin(entry: TarEntry): EntrySink | null {
    this.#account.addEntry();
    const components = splitEntryPath(entry.name);
    this.#account.checkDepth(components.length);
    const base = components.at(-1);
    if (base === undefined) {
      if (entry.type !== "directory") throw bad(entry.name, `is the root of the layer and a ${entry.type}`);
      this.#finishDirectory(entry, this.#options.root);
      return null;
    }
    const name = this.#plain ? PLAIN_NAME : classifyName(base, entry.name);
    if (name.kind === "ignored") return null;
    const parents = components.slice(0, -1);
    if (isBelowAufs(parents, entry.name)) return null;
    const parent = this.#makeParents(parents, entry.name);
    if (name.kind === "opaque") {
      this.#makeOpaque(parent);
      return null;
    }
    if (name.kind === "whiteout") {
      this.#makeWhiteout(`${parent}/${name.target}`);
      return null;
    }
    return this.#make(entry, `${parent}/${base}`);
  }

  /** Set what waits for the end. */
  finish(): LayerReport {
    for (const [path, { mode, mtime }] of this.#directories) {
      const descriptor = openSync(this.#fsPath(path), OPEN_DIRECTORY);
      try {
        fchmodSync(descriptor, mode);
        setDescriptorTime(descriptor, mtime);
      } finally {
        closeSync(descriptor);
      }
    }
    return {
      entries: this.#account.entries,
      bytes: this.#account.bytes,
      notes: this.#notes,
      recordedOwners: [...this.#owners.values()],
      implied: [...this.#implied].map((path) => path.slice(this.#options.root.length + 1)),
    };
  }

  #make(entry: TarEntry, path: string): EntrySink | null {
    switch (entry.type) {
      case "file":
        return this.#makeFile(entry, path);
      case "directory":
        this.#makeDirectory(entry, path);
        return null;
      case "symlink":
        this.#makeSymlink(entry, path);
        return null;
      case "link":
        this.#makeHardLink(entry, path);
        return null;
      case "fifo":
        this.#clear(path);
        makeFifo(this.#fsPath(path), 0o600);
        this.#setOwner(entry, path);
        chmodSync(this.#fsPath(path), entry.mode);
        this.#setAttributes(entry, path);
        setPathTime(this.#fsPath(path), entry.mtime);
        return null;
      case "character-device":
      case "block-device":
        if (entry.type === "character-device" && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
          this.#makeWhiteout(path);
        } else {
          this.#note(`device node "${textOfBytes(entry.name)}" left out: a user namespace cannot make one`);
        }
        return null;
    }
  }

  #makeFile(entry: TarEntry, path: string): EntrySink {
    const { sparse } = entry;
    this.#account.addFile(sparse?.size ?? entry.size);
    // The set-id bits come last: chown(2) and write(2) would take them away again.
    const mode = entry.mode & ~SPECIAL_BITS;
    const descriptor = this.#replacing(path, () => openSync(this.#fsPath(path), CREATE_NEW, mode));
    const contents =
      sparse === null ? new PlainContents(descriptor) : new SparseContents(descriptor, sparse.size, sparse.segments);
    return {
      write: (chunk) => contents.write(chunk),
      end: () => {
        try {
          contents.end();
          const owned = this.#changesOwner(entry, path);
          if (owned) this.#checkId(entry, () => fchownSync(descriptor, entry.uid, entry.gid));
          if (owned || mode !== entry.mode) fchmodSync(descriptor, entry.mode);
          this.#setAttributes(entry, path);
          setDescriptorTime(descriptor, entry.mtime);
        } finally {
          closeSync(descriptor);
        }
      },
    };
  }

  #makeDirectory(entry: TarEntry, path: string): void {
    try {
      mkdirSync(this.#fsPath(path), PARENT_MODE);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      const status = lstatSync(this.#fsPath(path));
      if (!status.isDirectory()) {
        if (this.#plain) throw occupied(path, "a directory over a file");
        this.#remove(path, status);
        mkdirSync(this.#fsPath(path), PARENT_MODE);
        // A name that was deleted and made anew as a directory starts empty.
        if (isWhiteout(status)) this.#makeOpaque(path);
      }
    }
    this.#known.set(path, path);
    this.#finishDirectory(entry, path);
  }

  #finishDirectory(entry: TarEntry, path: string): void {
    this.#setOwner(entry, path);
    this.#setAttributes(entry, path);
    this.#directories.set(path, { mode: entry.mode, mtime: entry.mtime });
    this.#implied.delete(path);
  }

  #makeSymlink(entry: TarEntry, path: string): void {
    const { linkName } = entry;
    if (linkName === "" || linkName.includes("\0")) throw bad(entry.name, "is a symlink to nothing");
    this.#replacing(path, () => symlinkSync(fsPath(linkName), this.#fsPath(path)));
    this.#setOwner(entry, path);
    this.#setAttributes(entry, path);
    setPathTime(this.#fsPath(path), entry.mtime);
  }

  #makeHardLink(entry: TarEntry, path: string): void {
    const components = splitEntryPath(entry.linkName);
    if (components.length === 0) throw bad(entry.name, "is a hard link to the root");
    const target = this.#findTarget(components);
    if (target === path) throw bad(entry.name, "is a hard link to itself");
    const status = target === null ? undefined : lstatSync(this.#fsPath(target), { throwIfNoEntry: false });
    if (target === null || status === undefined || isWhiteout(status)) {
      throw bad(entry.name, `is a hard link to "${textOfBytes(entry.linkName)}", which the layer does not have`);
    }
    if (status.isDirectory()) throw bad(entry.name, "is a hard link to a directory");
    if (target.startsWith(`${path}/`))
      throw bad(entry.name, "is a hard link to a file in the directory that it replaces");
    this.#replacing(path, () => linkSync(this.#fsPath(target), this.#fsPath(path)));
    const owner = this.#owners.get(target);
    if (owner !== undefined) this.#recordOwner(path, owner.uid, owner.gid);
  }

  /** Where the target of a hard link lies, or null. */
  #findTarget(components: readonly string[]): string | null {
    const parent = [this.#options.root, ...components.slice(0, -1)].join("/");
    const known = this.#known.get(parent);
    if (known !== undefined) return `${known}/${components.at(-1)}`;
    const status = lstatSync(this.#fsPath(parent), { throwIfNoEntry: false });
    if (status === undefined || !this.#isDirectory(parent, status)) return null;
    return `${this.#realPath(parent)}/${components.at(-1)}`;
  }

  /**
   * Make parents that the archive has not listed, 0755 and root's until the layers below are asked.
   * @returns the path without symlinks, by which a directory's attributes are kept: a symlink may lead elsewhere later.
   */
  #makeParents(components: readonly string[], name: string): string {
    let path = this.#options.root;
    for (const component of components) {
      const next = `${path}/${component}`;
      const known = this.#known.get(next);
      if (known !== undefined) {
        path = known;
        continue;
      }
      path = this.#makeParent(next, name);
      this.#known.set(next, path);
    }
    return path;
  }

  #makeParent(path: string, name: string): string {
    const status = lstatSync(this.#fsPath(path), { throwIfNoEntry: false });
    if (status === undefined) {
      this.#account.addEntry();
      mkdirSync(this.#fsPath(path), PARENT_MODE);
      this.#implied.add(path);
    } else if (isWhiteout(status)) {
      this.#remove(path, status);
      mkdirSync(this.#fsPath(path), PARENT_MODE);
      this.#makeOpaque(path);
    } else if (!this.#isDirectory(path, status)) {
      throw bad(name, `lies below "${textOfBytes(path)}", which is no directory`);
    } else if (status.isSymbolicLink()) {
      return this.#realPath(path);
    }
    return path;
  }

  #realPath(path: string): string {
    const real = realpathSync.native(this.#fsPath(path), { encoding: "buffer" }).toString("latin1");
    return real === "/" ? this.#options.root : real;
  }

  #isDirectory(path: string, status: Stats): boolean {
    if (!status.isSymbolicLink()) return status.isDirectory();
    try {
      return statSync(this.#fsPath(path)).isDirectory();
    } catch (error) {
      if (isErrno(error, "ENOENT") || isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR")) return false;
      throw error;
    }
  }

  /** Do `make`; where something of that name exists, once more after removing it. */
  #replacing<Result>(path: string, make: () => Result): Result {
    try {
      return make();
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      this.#remove(path, lstatSync(this.#fsPath(path)));
      return make();
    }
  }

  /** Remove what has the name, if anything. */
  #clear(path: string): void {
    const status = lstatSync(this.#fsPath(path), { throwIfNoEntry: false });
    if (status !== undefined) this.#remove(path, status);
  }

  #remove(path: string, status: Stats): void {
    if (this.#plain && status.isDirectory()) throw occupied(path, "a file over a directory");
    this.#owners.delete(path);
    if (!status.isDirectory()) {
      unlinkSync(this.#fsPath(path));
      if (status.isSymbolicLink()) this.#forgetKnown();
      return;
    }
    rmSync(this.#fsPath(path), { recursive: true });
    this.#forgetKnown();
    const below = `${path}/`;
    for (const kept of [this.#directories, this.#owners, this.#implied]) {
      for (const other of kept.keys()) if (other === path || other.startsWith(below)) kept.delete(other);
    }
  }

  #forgetKnown(): void {
    this.#known.clear();
    this.#known.set(this.#options.root, this.#options.root);
  }

  /**
   * A whiteout hides lower layers only; what this layer itself has of that name stays, as a directory without what lies
   * below it (OCI image specification, layer.md, "Whiteouts").
   */
  #makeWhiteout(path: string): void {
    if (this.#options.bottom) return;
    const status = lstatSync(this.#fsPath(path), { throwIfNoEntry: false });
    if (status === undefined) makeWhiteout(this.#fsPath(path));
    else if (status.isDirectory()) this.#makeOpaque(path);
  }

  #makeOpaque(path: string): void {
    if (this.#options.bottom) return;
    if (setAttribute(this.#fsPath(path), OPAQUE_ATTRIBUTE, Buffer.from("y")) === null) return;
    throw new RuntimeError("HOST_UNSUPPORTED", `Cannot set "${OPAQUE_ATTRIBUTE}" on "${textOfBytes(path)}"`, {
      hint: "The image store must lie on a file system with user extended attributes (tmpfs has them since Linux 6.6).",
    });
  }

  #setOwner(entry: TarEntry, path: string): void {
    if (this.#changesOwner(entry, path)) {
      this.#checkId(entry, () => lchownSync(this.#fsPath(path), entry.uid, entry.gid));
    }
  }

  /** Whether the file has to be given away; notes the owner where it cannot be. */
  #changesOwner({ uid, gid }: TarEntry, path: string): boolean {
    if (uid === 0 && gid === 0) return false;
    if (this.#options.owners === "apply") return true;
    this.#recordOwner(path, uid, gid);
    return false;
  }

  #recordOwner(path: string, uid: number, gid: number): void {
    const relative = textOfBytes(path.slice(this.#options.root.length));
    this.#owners.set(path, { path: relative, uid, gid });
  }

  #checkId({ uid, gid, name }: TarEntry, change: () => void): void {
    try {
      change();
    } catch (cause) {
      if (!isErrno(cause, "EINVAL")) throw cause;
      throw new RuntimeError(
        "ID_NOT_GRANTED",
        `Cannot give "${textOfBytes(name)}" to ${uid}:${gid}: the ids are not mapped`,
        {
          hint: "Grant more subordinate ids in /etc/subuid and /etc/subgid, or use --userns=single.",
          details: { uid, gid },
          cause,
        },
      );
    }
  }

  #setAttributes(entry: TarEntry, path: string): void {
    for (const [name, value] of entry.attributes) {
      const fate = attributeFate(name, value);
      if (fate === "opaque") {
        if (entry.type === "directory") this.#makeOpaque(path);
      } else if (fate === "note") {
        this.#note(`attribute "${textOfBytes(name)}" of "${textOfBytes(entry.name)}" left out`);
      } else if (fate === "set") {
        const portable = name === "security.capability" ? portableCapability(value) : value;
        const refusal = setAttribute(this.#fsPath(path), name, Buffer.from(portable, "latin1"));
        if (refusal !== null)
          this.#note(`attribute "${textOfBytes(name)}" of "${textOfBytes(entry.name)}" left out: ${refusal}`);
      }
    }
  }

  #note(text: string): void {
    if (this.#notes.length < MAX_NOTES) this.#notes.push(text);
  }

  #fsPath(path: string): string | Buffer {
    return path === "" ? "/" : fsPath(path);
  }
}

class PlainContents {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(chunk: Uint8Array): void {
    writeAll(this.#descriptor, chunk, null);
  }

  end(): void {}
}

/** Puts the stored segments where they belong and leaves the rest a hole. */
class SparseContents {
  readonly #descriptor: number;
  readonly #size: number;
  #segments: readonly SparseSegment[] | null;
  readonly #map: LeadingMap;
  #index = 0;
  #filled = 0;

  constructor(descriptor: number, size: number, segments: readonly SparseSegment[] | null) {
    this.#descriptor = descriptor;
    this.#size = size;
    this.#segments = segments;
    this.#map = new LeadingMap(size);
  }

  write(chunk: Uint8Array): void {
    if (this.#segments !== null) {
      this.#fill(chunk, this.#segments);
      return;
    }
    const map = this.#map.read(chunk);
    if (map === null) return;
    this.#segments = map.segments;
    this.#fill(chunk.subarray(map.end), map.segments);
  }

  #fill(data: Uint8Array, segments: readonly SparseSegment[]): void {
    let rest = data;
    while (rest.byteLength > 0) {
      const segment = segments[this.#index];
      if (segment === undefined) throw badMap("more data is stored than it lists");
      const part = rest.subarray(0, segment.length - this.#filled);
      writeAll(this.#descriptor, part, segment.offset + this.#filled);
      this.#filled += part.byteLength;
      if (this.#filled === segment.length) {
        this.#index++;
        this.#filled = 0;
      }
      rest = rest.subarray(part.byteLength);
    }
  }

  end(): void {
    if (this.#segments === null || this.#index < this.#segments.length) {
      throw badMap("less data is stored than it lists");
    }
    ftruncateSync(this.#descriptor, this.#size);
  }
}

function writeAll(descriptor: number, chunk: Uint8Array, position: number | null): void {
  let written = 0;
  while (written < chunk.byteLength) {
    written += writeSync(
      descriptor,
      chunk,
      written,
      chunk.byteLength - written,
      position === null ? null : position + written,
    );
  }
}

function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0;
}

function isErrno(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

function occupied(path: string, what: string): RuntimeError {
  return new RuntimeError("INVALID_ARGUMENT", `Cannot copy to "${textOfBytes(path)}": that would put ${what}`);
}

function bad(name: string, fault: string): RuntimeError {
  const text = textOfBytes(name);
  return new RuntimeError("INVALID_LAYER", `Cannot unpack "${text}": it ${fault}`, { details: { name: text, fault } });
}
