/**
 * The manager for cgroup v1: each controller has a hierarchy of its own, and an administrator may have delegated some of
 * them by making a directory and handing it to the caller. There is no manager to ask and no rule about internal
 * processes, so everything is left to the monitor.
 */
import { existsSync } from "node:fs";
import type { HostFacts } from "../plan/host-facts.ts";
import { applyPolicy, checkCpuset, holdingMemoryLimit } from "./apply-policy.ts";
import { effectiveAllowance, undercutLimits, type Allowance } from "./capacity.ts";
import { hostAllowance, isWritable, readCgroupFile, readV1Levels } from "./cgroup-files.ts";
import { leafName, planV1Leaves } from "./cgroup-plans.ts";
import type { CgroupInterface } from "./limit-writes.ts";
import type { CgroupManager, CgroupRequest, PreparedCgroup } from "./manager.ts";
import { NEW_V1_CGROUP, v1LimitWrites } from "./v1-limits.ts";

/** Where an administrator delegates, when neither the caller's own cgroup nor --cgroup-parent says otherwise. */
export function conventionalParent(uid: number): string {
  return `/pycri/${uid}`;
}

interface Parent {
  readonly mountPoint: string;
  readonly directory: string;
}

/** Null when no controller is delegated. `parent`: --cgroup-parent, absolute and normalised. */
export function openV1Manager(
  facts: Pick<HostFacts, "cgroup" | "uid">,
  parent: string | undefined,
): CgroupManager | null {
  const parents: Record<string, Parent> = {};
  for (const { controller, mountPoint, path } of facts.cgroup.v1) {
    if (controller.startsWith("name=")) continue;
    // Root's own cgroup is often a service's; the top is where it would look for its containers.
    const own = facts.uid === 0 ? "" : path === "/" ? "" : path;
    const candidates = parent === undefined ? [conventionalParent(facts.uid), own] : [parent];
    const directory = candidates.map((path) => mountPoint + path).find((path) => existsSync(path) && isWritable(path));
    if (directory !== undefined) parents[controller] = { mountPoint, directory };
  }
  const cpuset = readCpuset(parents["cpuset"]);
  // A parent without CPUs takes no process, and its children inherit that.
  if (cpuset === undefined) delete parents["cpuset"];
  return Object.keys(parents).length === 0 ? null : new V1Manager(parents, cpuset);
}

interface Cpuset {
  readonly cpus: string;
  readonly mems: string;
}

function readCpuset(parent: Parent | undefined): Cpuset | undefined {
  if (parent === undefined) return undefined;
  const cpus = readCgroupFile(`${parent.directory}/cpuset.cpus`)?.trim() ?? "";
  const mems = readCgroupFile(`${parent.directory}/cpuset.mems`)?.trim() ?? "";
  return cpus === "" || mems === "" ? undefined : { cpus, mems };
}

class V1Manager implements CgroupManager {
  readonly name = "v1";
  readonly levels: readonly Allowance[];
  readonly cgroup: CgroupInterface;
  readonly limitsSwap: boolean;
  readonly #parents: Readonly<Record<string, Parent>>;
  readonly #cpuset: Cpuset | undefined;

  constructor(parents: Readonly<Record<string, Parent>>, cpuset: Cpuset | undefined) {
    this.#parents = parents;
    this.#cpuset = cpuset;
    this.levels = [hostAllowance(), ...readV1Levels(parents)];
    this.cgroup = {
      controllers: new Set(Object.keys(parents)),
      hasFile: (name) => {
        const parent = parents[name.slice(0, name.indexOf("."))];
        return parent !== undefined && existsSync(`${parent.directory}/${name}`);
      },
    };
    this.limitsSwap = this.cgroup.hasFile("memory.memsw.limit_in_bytes");
  }

  prepare(request: CgroupRequest): Promise<PreparedCgroup> {
    const { resources } = request;
    const parentCpus = effectiveAllowance(this.levels.slice(1)).cpus.value;
    const { writes, unsupported } = v1LimitWrites(resources, this.cgroup, { ...NEW_V1_CGROUP, parentCpus });
    const warnings = [
      ...applyPolicy(request.policy, unsupported, "--cgroup-parent names a cgroup that is delegated to you"),
      ...undercutLimits(resources, this.levels),
    ];
    if (this.#cpuset !== undefined) checkCpuset(resources, this.#cpuset);
    const directories = Object.fromEntries(
      Object.entries(this.#parents).map(([controller, { directory }]) => [
        controller,
        `${directory}/${leafName(request.containerId)}`,
      ]),
    );
    const plan = planV1Leaves({
      directories,
      writes,
      cpuset: this.#cpuset,
      oom: { limit: holdingMemoryLimit(resources, this.levels), recordFile: request.oomRecordFile },
    });
    return Promise.resolve({ plan, record: { version: 1, directories }, warnings });
  }
}
