/**
 * What the image worker can be told to do, and what it answers. The worker is a process of its own in a user namespace:
 * there it owns files of subordinate ids, may give files away, and may confine itself by chroot(2), none of which the
 * caller's process can.
 *
 * ```
 *   caller                                worker: node image-worker.cjs JOB
 *     |--- JOB as JSON in argv ------------->|
 *     |--- an archive on stdin ------------->|   `extract` only
 *     |<-- report as JSON, or an archive ----|   stdout; `extract` reports nothing
 *     |<-- failure as JSON, its last line ---|   stderr, with exit status 1
 * ```
 * Starting Node takes longer than unpacking a small layer, so one worker handles all layers of an image:
 * ```
 *     |--- LayerRequest, a line of JSON ---->|   `serve`, on stdin; archives are read in threads that have confined
 *     |<-- LayerAnswer, a line of JSON ------|   themselves, in whatever order; the end of stdin ends it
 * ```
 */

import type { ErrorCode } from "../../errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { InheritedDirectory } from "../layer/inherit-directories.ts";
import type { LayerReport } from "../layer/layer-writer.ts";
import type { LayerLimits } from "../layer/limits.ts";

/** Unpack layers as they are asked for on stdin. */
export interface ServeJob {
  readonly op: "serve";
}

/** Unpack a layer into `directory` and check it against its diff id. */
export interface UnpackJob {
  readonly op: "unpack";
  /** Absolute path of the archive. */
  readonly blob: string;
  /** Absolute path of an empty directory. */
  readonly directory: string;
  readonly bottom: boolean;
  readonly owners: "apply" | "record";
  readonly limits: LayerLimits;
  /** Null: the layer is imported and gets the digest it has. */
  readonly diffId: Digest | null;
  /** Path of zstd(1), or null. */
  readonly zstdProgram: string | null;
}

/** Give directories of an unpacked layer what the layers below say of them: `inherit-directories.ts`. */
export interface InheritJob {
  readonly op: "inherit";
  /** Absolute path of the layer. */
  readonly directory: string;
  /** Absolute paths of those below, top first. */
  readonly lower: readonly string[];
  /** As in `LayerReport`. */
  readonly implied: readonly string[];
}

/** Write a tar archive to stdout. */
export interface ArchiveJob {
  readonly op: "archive";
  /** Directory that the process confines itself to, below which the other paths lie; null: the one open as stdin. */
  readonly root: string | null;
  /** Trees of one overlay, top first. */
  readonly layers: readonly string[];
  /**
   * `merged`: what a container sees. `diff`: the top layer alone, as a layer of an image, its deletions as whiteouts.
   */
  readonly content: "merged" | "diff";
  /** Only what lies at this path, "" for everything. Symlinks on the way are followed within the trees. */
  readonly path: string;
  /** Follow a symlink at the end of the path, too. */
  readonly follow: boolean;
  /** What the archive calls it; "": a directory's entries stand at the top. */
  readonly name: string;
  /** Anything else at `path` is an error. */
  readonly expect: "any" | "directory";
  /** Paths at which other file systems are mounted: what is in them is left out. */
  readonly without: readonly string[];
}

/** Unpack an archive from stdin for `cp`. Answers nothing. */
export interface ExtractJob {
  readonly op: "extract";
  /** As in `ArchiveJob`; null: the directory open as stdout. */
  readonly root: string | null;
  /** Path below the root; symlinks in it are followed. */
  readonly target: string;
  /**
   * `entry`: the archive's one entry goes into the directory `target`, or becomes `target` where there is none.
   * `contents`: what is in it goes there. `archive`: all entries go into the directory `target`.
   */
  readonly place: "entry" | "contents" | "archive";
  /** Who gets the files: those the archive names, the namespace's root, or whoever unpacks. */
  readonly owners: "archive" | "root";
}

/** Make one tree of several layers where no overlay can be mounted. Runs in the container's namespaces, unconfined. */
export interface CopyJob {
  readonly op: "copy";
  /** Top first. */
  readonly layers: readonly string[];
  /** An empty directory. */
  readonly target: string;
}

/** Compare the top tree with those below it. Answers with a list of `TreeChange`. */
export interface CompareJob {
  readonly op: "compare";
  /** As in `ArchiveJob`. */
  readonly root: string;
  readonly layers: readonly string[];
  readonly without: readonly string[];
}

/** A line on stdin of `serve`. */
export interface LayerRequest {
  readonly number: number;
  readonly job: UnpackJob | InheritJob;
}

/** A line on its stdout. */
export interface LayerAnswer {
  readonly number: number;
  readonly outcome: Outcome<UnpackReport | readonly InheritedDirectory[]>;
}

export type Outcome<Report> =
  | { readonly kind: "done"; readonly report: Report }
  | { readonly kind: "failed"; readonly failure: WorkerFailure };

export interface UnpackReport extends LayerReport {
  readonly diffId: Digest;
}

export type WorkerJob = ServeJob | ArchiveJob | ExtractJob | CopyJob | CompareJob;

/** `A`dded, `C`hanged, `D`eleted: the letters of `docker diff`. */
export interface TreeChange {
  readonly kind: "A" | "C" | "D";
  /** Absolute in the container. */
  readonly path: string;
}

/** The last line of a failed worker's stderr. */
export interface WorkerFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}
