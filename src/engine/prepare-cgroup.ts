/**
 * A new container's cgroup: opens the manager, turns what was asked for into limits that it can apply, and lets it
 * prepare. Before the Spec is built, which records the limits.
 */
import { statSync } from "node:fs";
import { effectiveAllowance, resolvePercentages } from "../cgroup/capacity.ts";
import type { CgroupManager, PreparedCgroup } from "../cgroup/manager.ts";
import { openManager } from "../cgroup/open-manager.ts";
import { RuntimeError } from "../errors.ts";
import type { BlockDevice, LinuxResources } from "../oci/linux-resources.ts";
import { NO_CGROUP } from "../plan/cgroup-plan.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { buildResources, DEFAULT_PIDS_LIMIT } from "../plan/resources.ts";
import type { ResourceRequest, RunRequest } from "../plan/run-request.ts";

export interface ContainerCgroup extends PreparedCgroup {
  /** `linux.resources`. */
  readonly resources: LinuxResources;
}

/** What a request says about cgroups. */
export type CgroupWishes = Pick<RunRequest, "resources" | "cgroups" | "cgroupManager" | "cgroupParent">;

/**
 * `sessionBus`: DBUS_SESSION_BUS_ADDRESS. `oomRecordFile`: see `CgroupRequest`. RuntimeError LIMIT_UNSUPPORTED for what
 * cannot be applied, unless `--cgroups` permits it.
 */
export async function prepareCgroup(
  request: CgroupWishes,
  facts: HostFacts,
  container: {
    readonly id: string;
    readonly sessionBus: string | undefined;
    readonly oomRecordFile: string;
    readonly dryRun: boolean;
    /** `ManagerOptions.becomesMonitor`. */
    readonly becomesMonitor: boolean;
  },
  manager: CgroupManager = chooseManager(request, facts, container),
): Promise<ContainerCgroup> {
  const resources = buildResources(
    withDefaultPids(resolvePercentages(request.resources, manager.levels), manager),
    deviceNumber,
    manager.limitsSwap,
  );
  try {
    const prepared = await manager.prepare({
      containerId: container.id,
      resources,
      oomRecordFile: container.oomRecordFile,
      policy: request.cgroups,
      dryRun: container.dryRun,
    });
    return { ...prepared, resources };
  } catch (error) {
    if (asksForCgroup(request) || !(error instanceof RuntimeError)) throw error;
    // Only the name spoke for a cgroup; the container runs as well without.
    return {
      plan: NO_CGROUP,
      record: null,
      resources: {},
      warnings: [`the container has no cgroup: ${error.message}`],
    };
  }
}

/** The manager for a request. Opening one changes nothing on the host. */
export function chooseManager(
  request: CgroupWishes,
  facts: HostFacts,
  container: { readonly sessionBus: string | undefined; readonly becomesMonitor: boolean },
): CgroupManager {
  const { cgroupManager, cgroupParent } = request;
  const chosen = request.cgroups === "disabled" ? "disabled" : cgroupManager;
  return openManager(facts, {
    becomesMonitor: container.becomesMonitor,
    ...(chosen === undefined ? {} : { manager: chosen }),
    ...(cgroupParent === undefined ? {} : { parent: cgroupParent }),
    ...(container.sessionBus === undefined ? {} : { sessionBus: container.sessionBus }),
  });
}

function asksForCgroup({ resources, cgroupManager, cgroupParent }: CgroupWishes): boolean {
  return Object.keys(resources).length > 0 || cgroupManager !== undefined || cgroupParent !== undefined;
}

function withDefaultPids(request: ResourceRequest, manager: CgroupManager): ResourceRequest {
  if (request.pidsLimit !== undefined || !manager.cgroup.controllers.has("pids")) return request;
  const { value } = effectiveAllowance(manager.levels).pids;
  return { ...request, pidsLimit: Math.min(DEFAULT_PIDS_LIMIT, value) };
}

/** The number of the block device at `path`. RuntimeError INVALID_ARGUMENT for anything else. */
export function deviceNumber(path: string): BlockDevice {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat?.isBlockDevice() !== true) {
    const what = stat === undefined ? "it does not exist" : "it is no block device";
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot limit input and output of "${path}": ${what}`);
  }
  // gnu_dev_major(3): twelve bits at 8, the rest from 32 on; minor: eight bits at 0, the rest from 20 on.
  const { rdev } = stat;
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
  };
}
