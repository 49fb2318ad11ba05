/** `pycri system prune`: what crashed runs have left on the host. */
import { findLeftovers, findScopes } from "../cgroup/find-leftovers.ts";
import { killAll, listProcesses, removeTree } from "../cgroup/live-cgroup.ts";
import { tryBus } from "../cgroup/open-manager.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { listContainers } from "../store/container-store.ts";

export interface PruneResult {
  /** Directories of cgroups that were removed. */
  readonly removed: readonly string[];
  /** Directories of cgroups whose container is not ours to judge, since processes still run in them. */
  readonly kept: readonly string[];
}

/**
 * Removes the cgroups of containers that are gone. One in which processes still run is emptied when this state directory
 * knows its container as ended; otherwise it may belong to a pycri with another state directory, and stays.
 * `parent`: --cgroup-parent of the runs in question. `sessionBus`: DBUS_SESSION_BUS_ADDRESS.
 */
export async function pruneSystem(
  facts: HostFacts,
  parent: string | undefined,
  sessionBus: string | undefined,
): Promise<PruneResult> {
  const containers = listContainers(facts.runtimeDirectory);
  const alive = new Set(containers.filter(({ status }) => status !== "stopped").map(({ config }) => config.id));
  const ended = new Set(containers.filter(({ status }) => status === "stopped").map(({ config }) => config.id));
  const removed: string[] = [];
  const kept: string[] = [];
  const systemd = tryBus(facts, sessionBus);
  const scopes = systemd === null ? [] : findScopes(facts, systemd.bus);
  for (const { id, directory, record } of [...findLeftovers(facts, parent), ...scopes]) {
    if (alive.has(id)) continue;
    if (ended.has(id)) await killAll(record);
    const free = listProcesses(record).length === 0 && (await removeTree(record));
    if (free) removed.push(directory);
    // A supervisor leaf is where the caller's own processes sit.
    else if (id !== "") kept.push(directory);
  }
  return { removed, kept };
}
