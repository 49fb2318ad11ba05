/**
 * What a set of limits comes to on one kind of cgroup: the files to write, and what this host cannot apply. Shared by the
 * v1 and the v2 translation.
 */

/** One file of a cgroup to write, in one write(2). */
export interface CgroupWrite {
  readonly controller: string;
  /** Name within the cgroup's directory. */
  readonly file: string;
  readonly value: string;
}

/** A limit that was asked for and cannot be applied. */
export interface UnsupportedLimit {
  /** Path in `linux.resources`, `memory.swappiness`. */
  readonly limit: string;
  /** Why, as the end of a sentence. */
  readonly reason: string;
}

export interface LimitWrites {
  /** In the order to write them. */
  readonly writes: readonly CgroupWrite[];
  readonly unsupported: readonly UnsupportedLimit[];
}

/** What a cgroup made now would offer. */
export interface CgroupInterface {
  readonly controllers: ReadonlySet<string>;
  /** Whether it has an interface file of that name. Files that no kernel lacks are not asked for. */
  readonly hasFile: (name: string) => boolean;
}

/** Collects writes, and refuses those whose controller is missing. */
export class LimitWriter {
  readonly writes: CgroupWrite[] = [];
  readonly unsupported: UnsupportedLimit[] = [];
  readonly #cgroup: CgroupInterface;

  constructor(cgroup: CgroupInterface) {
    this.#cgroup = cgroup;
  }

  /** `optional`: the file exists only with some kernels or configurations, so that its absence has to be checked. */
  write(limit: string, controller: string, file: string, value: string, optional?: "optional"): void {
    if (!this.#cgroup.controllers.has(controller)) {
      this.refuse(limit, `the ${controller} controller is not delegated to you`);
    } else if (optional === "optional" && !this.#cgroup.hasFile(file)) {
      this.refuse(limit, `this kernel has no ${file}`);
    } else {
      this.writes.push({ controller, file, value });
    }
  }

  refuse(limit: string, reason: string): void {
    this.unsupported.push({ limit, reason });
  }
}
