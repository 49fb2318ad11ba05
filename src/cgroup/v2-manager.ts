/**
 * The manager for a cgroup v2 subtree that is delegated to the caller: its own cgroup, or one named by --cgroup-parent,
 * whoever delegated it. Also what the systemd manager uses inside the scope it was given.
 */
import { existsSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { applyPolicy, checkCpuset, holdingMemoryLimit } from "./apply-policy.ts";
import { undercutLimits, type Allowance } from "./capacity.ts";
import { ancestors, displayPath, hostAllowance, isWritable, readCgroupFile, readV2Levels } from "./cgroup-files.ts";
import { leafName, planV2Leaf } from "./cgroup-plans.ts";
import type { CgroupInterface } from "./limit-writes.ts";
import type { CgroupManager, CgroupRequest, PreparedCgroup } from "./manager.ts";
import { v2LimitWrites } from "./v2-limits.ts";
import { isDelegated, obtainableControllers, openSubtree, parentOf } from "./v2-subtree.ts";

export type V2Facts = Pick<HostFacts, "kernel"> & {
  readonly cgroup: { readonly v2: NonNullable<HostFacts["cgroup"]["v2"]> };
};

/** Enabled for every container where they can be had: what statistics and out-of-memory reports need. */
const ALWAYS = ["cpu", "io", "memory", "pids"];

/** CLONE_INTO_CGROUP. */
const BORN_INSIDE = { major: 5, minor: 7 };

/**
 * Null when no subtree is delegated. `parent`: --cgroup-parent, absolute and normalised. RuntimeError LIMIT_UNSUPPORTED when it names a
 * cgroup that is missing or not delegated.
 */
export function openV2Manager(facts: V2Facts, parent: string | undefined): CgroupManager | null {
  const { mountPoint, path } = facts.cgroup.v2;
  if (parent !== undefined) {
    const directory = mountPoint + parent;
    if (!existsSync(directory)) {
      throw new RuntimeError(
        "LIMIT_UNSUPPORTED",
        `Cannot use cgroup parent "${parent}": "${directory}" does not exist`,
        {
          hint: "make it and hand it to the user who runs pycri",
        },
      );
    }
    if (!isDelegated(directory)) {
      throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot use cgroup parent "${parent}": it is not delegated to you`, {
        hint: `chown "${directory}" and its cgroup.procs, cgroup.subtree_control and cgroup.threads to the user who runs pycri`,
      });
    }
    checkReach(directory, parent, facts);
    return new V2Manager(facts, directory);
  }
  const directory = parentOf(path === "/" ? mountPoint : mountPoint + path);
  return isDelegated(directory) ? new V2Manager(facts, directory) : null;
}

/**
 * The kernel moves or starts a process in another cgroup only for who may write cgroup.procs of the nearest cgroup above
 * both, too (cgroup-v2.rst, "Delegation Containment"). RuntimeError LIMIT_UNSUPPORTED.
 */
function checkReach(directory: string, parent: string, { cgroup }: V2Facts): void {
  const { mountPoint, path } = cgroup.v2;
  const above = new Set(ancestors(directory, mountPoint));
  const common = ancestors(path === "/" ? mountPoint : mountPoint + path, mountPoint).find((level) => above.has(level));
  if (common === undefined || isWritable(`${common}/cgroup.procs`)) return;
  throw new RuntimeError(
    "LIMIT_UNSUPPORTED",
    `Cannot use cgroup parent "${parent}": from your cgroup "${path}" the kernel lets you start nothing there`,
    { hint: `have root move your shell there first: echo PID >"${directory}/cgroup.procs"` },
  );
}

class V2Manager implements CgroupManager {
  readonly name = "cgroupfs";
  readonly levels: readonly Allowance[];
  readonly cgroup: CgroupInterface;
  readonly limitsSwap: boolean;
  readonly #facts: V2Facts;
  readonly #parent: string;

  constructor(facts: V2Facts, parent: string) {
    this.#facts = facts;
    this.#parent = parent;
    const { mountPoint } = facts.cgroup.v2;
    this.levels = [hostAllowance(), ...readV2Levels(parent, mountPoint)];
    this.cgroup = v2Interface(parent, obtainableControllers(parent, mountPoint));
    this.limitsSwap = this.cgroup.hasFile("memory.swap.max");
  }

  prepare(request: CgroupRequest): Promise<PreparedCgroup> {
    return Promise.resolve(
      prepareV2Leaf(this.#facts, this.#parent, leafName(request.containerId), request, this.levels),
    );
  }
}

/**
 * What children of `parent` offer. They get the same files as `parent` has; the root cgroup alone has none to compare
 * with, and a controller that `parent` does not have yet shows none either, so there the kernel is taken at its word.
 */
export function v2Interface(parent: string, controllers: ReadonlySet<string>): CgroupInterface {
  return {
    controllers,
    hasFile: (name) => {
      const controller = name.slice(0, name.indexOf("."));
      if (!controllers.has(controller)) return false;
      const comparable = existsSync(`${parent}/${PROBE_FILES[controller] ?? ""}`);
      return comparable ? existsSync(`${parent}/${name}`) : !RARE_FILES.has(name);
    },
  };
}

/** A file that every cgroup with the controller has, except the root. */
const PROBE_FILES: Readonly<Record<string, string>> = {
  cpu: "cpu.weight",
  cpuset: "cpuset.cpus",
  io: "io.max",
  memory: "memory.max",
  pids: "pids.max",
};

/** Files that depend on the kernel's configuration, and are missing often enough not to be assumed. */
const RARE_FILES: ReadonlySet<string> = new Set(["io.weight", "io.bfq.weight", "memory.swap.max"]);

/** Enables the controllers in `parent` and plans the leaf `name` below it. */
export function prepareV2Leaf(
  facts: V2Facts,
  parent: string,
  name: string,
  request: CgroupRequest,
  levels: readonly Allowance[],
): PreparedCgroup {
  const { mountPoint } = facts.cgroup.v2;
  const { resources } = request;
  const obtainable = obtainableControllers(parent, mountPoint);
  const needed = v2LimitWrites(resources, v2Interface(parent, obtainable)).writes.map(({ controller }) => controller);
  const wanted = new Set([...ALWAYS, ...needed].filter((controller) => obtainable.has(controller)));
  const controllers = request.dryRun ? wanted : openSubtree(parent, mountPoint, wanted);

  const { writes, unsupported } = v2LimitWrites(resources, v2Interface(parent, controllers));
  const hint = `cgroup "${displayPath(parent, mountPoint)}" has only these controllers: ${[...controllers].join(" ") || "none"}`;
  const warnings = [...applyPolicy(request.policy, unsupported, hint), ...undercutLimits(resources, levels)];
  if (controllers.has("cpuset")) {
    const effective = (list: string): string => readCgroupFile(`${parent}/cpuset.${list}.effective`)?.trim() ?? "";
    checkCpuset(resources, { cpus: effective("cpus"), mems: effective("mems") });
  }
  const directory = `${parent}/${name}`;
  const { major, minor } = facts.kernel;
  const plan = planV2Leaf({
    directory,
    writes,
    bornInside: major > BORN_INSIDE.major || (major === BORN_INSIDE.major && minor >= BORN_INSIDE.minor),
    hasMemory: controllers.has("memory"),
    oom: { limit: holdingMemoryLimit(resources, levels), recordFile: request.oomRecordFile },
  });
  return { plan, record: { version: 2, directory }, warnings };
}
