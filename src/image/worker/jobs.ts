/**
 * What the image worker can be told to do, and what it answers. The worker is a process of its own in a user namespace:
 * there it owns files of subordinate ids, may give files away, and may confine itself by chroot(2), none of which the
 * caller's process can.
 *
 * ```
 *   caller                                worker: node image-worker.cjs JOB
 *     |--- JOB as JSON in argv ------------->|
 *     |--- the layer's blob on stdin ------->|   `unpack` only
 *     |<-- report as JSON, or an archive ----|   stdout
 *     |<-- failure as JSON, its last line ---|   stderr, with exit status 1
 * ```
 */

import type { ErrorCode } from "../../errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { LayerLimits } from "../layer/limits.ts";

/** Unpack the layer on stdin into `directory` and check it against its diff id. Answers with a `LayerReport`. */
export interface UnpackJob {
  readonly op: "unpack";
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

/** Remove trees; what is not there is fine. Answers `{}`. */
export interface RemoveJob {
  readonly op: "remove";
  readonly paths: readonly string[];
}

/** Write a tar archive to stdout. */
export interface ArchiveJob {
  readonly op: "archive";
  /** Directory that the process confines itself to; the other paths are relative to it. */
  readonly root: string;
  /** Trees of one overlay, top first. */
  readonly layers: readonly string[];
  /**
   * `merged`: what a container sees. `diff`: the top layer alone, as a layer of an image, its deletions as whiteouts.
   */
  readonly content: "merged" | "diff";
  /** Only this path (no leading slash), named by its last component; "" for everything. */
  readonly path: string;
  /** Paths below which nothing is taken: mount points that the runtime made. */
  readonly without: readonly string[];
  /** Real owners of files where the trees were written with `owners: "record"`. */
  readonly owners: readonly (readonly [path: string, uid: number, gid: number])[];
}

/** Compare the top tree with those below it. Answers with a list of `TreeChange`. */
export interface CompareJob {
  readonly op: "compare";
  readonly root: string;
  readonly layers: readonly string[];
  readonly without: readonly string[];
}

export type WorkerJob = UnpackJob | RemoveJob | ArchiveJob | CompareJob;

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
