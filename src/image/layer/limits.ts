/**
 * Limits on what a layer may unpack to, so that a small archive cannot fill the disk, the inode table or the memory, and
 * the running account against them. Each limit can be set by the user.
 */

import { RuntimeError } from "../../errors.ts";

export interface LayerLimits {
  /** Bytes of all files together. */
  readonly bytes: number;
  /** Files, directories, links. */
  readonly entries: number;
  /** Components of a path. */
  readonly depth: number;
  /** Uncompressed size by compressed size, once more than `RATIO_FREE_BYTES` have come out. */
  readonly ratio: number;
}

/** Generous for any real image; the bytes leave room for layers with machine-learning models. */
export const DEFAULT_LIMITS: LayerLimits = {
  bytes: 256 * 1024 ** 3,
  entries: 4_000_000,
  depth: 256,
  ratio: 1000,
};

/** Small layers may compress as well as they like: a few zero-filled files are no bomb. */
const RATIO_FREE_BYTES: number = 256 * 1024 ** 2;

const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof LayerLimits)[];

/** `--unpack-limit NAME=NUMBER`, several of them, over the defaults. */
export function parseLayerLimits(settings: readonly string[]): LayerLimits {
  const limits: Record<keyof LayerLimits, number> = { ...DEFAULT_LIMITS };
  for (const setting of settings) {
    const [name, value = ""] = setting.split("=", 2);
    const known = NAMES.find((candidate) => candidate === name);
    const number = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
    if (known === undefined || !Number.isSafeInteger(number) || number === 0) {
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot parse the unpack limit "${setting}"`, {
        hint: `Write NAME=NUMBER with a NAME of ${NAMES.join(", ")}.`,
      });
    }
    limits[known] = number;
  }
  return limits;
}

/** A stored layer that is larger than what it may unpack to need not be fetched at all. */
export function checkStoredSize(size: number, limits: LayerLimits): void {
  if (size > limits.bytes) throw exceeded("bytes", limits.bytes);
}

/** Counts one layer against its limits; each method throws INVALID_LAYER at the first excess. */
export class LayerAccount {
  readonly #limits: LayerLimits;
  #bytes = 0;
  #entries = 0;

  constructor(limits: LayerLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  addEntry(): void {
    this.#entries++;
    if (this.#entries > this.#limits.entries) throw exceeded("entries", this.#limits.entries);
  }

  /** `size` is what the entry's header promises: the excess is seen before a byte is written. */
  addFile(size: number): void {
    this.#bytes += size;
    if (this.#bytes > this.#limits.bytes) throw exceeded("bytes", this.#limits.bytes);
  }

  checkDepth(components: number): void {
    if (components > this.#limits.depth) throw exceeded("depth", this.#limits.depth);
  }

  checkRatio(compressed: number, uncompressed: number): void {
    if (uncompressed > RATIO_FREE_BYTES && uncompressed > compressed * this.#limits.ratio) {
      throw exceeded("ratio", this.#limits.ratio);
    }
  }
}

function exceeded(limit: keyof LayerLimits, value: number): RuntimeError {
  return new RuntimeError("INVALID_LAYER", `Cannot unpack the layer: it exceeds the limit ${limit}=${value}`, {
    hint: `If you trust the image, raise it: --unpack-limit ${limit}=NUMBER`,
    details: { limit, value },
  });
}
