/** Chooses the cgroup manager: the one asked for, or the best that works on this host. */
import { existsSync, statSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { NO_CGROUP } from "../plan/cgroup-plan.ts";
import type { RunRequest } from "../plan/run-request.ts";
import { applyPolicy, limitNames } from "./apply-policy.ts";
import { hostAllowance } from "./cgroup-files.ts";
import type { CgroupManager, CgroupRequest, PreparedCgroup } from "./manager.ts";
import { findBus, openSystemdManager } from "./systemd-manager.ts";
import { conventionalParent, openV1Manager } from "./v1-manager.ts";
import { openV2Manager } from "./v2-manager.ts";

export interface ManagerOptions {
  readonly manager?: RunRequest["cgroupManager"];
  /** As given: a path below the hierarchies' mount points, or a slice. */
  readonly parent?: string;
  /** DBUS_SESSION_BUS_ADDRESS. */
  readonly sessionBus?: string;
  /**
   * Whether this process itself becomes the container's monitor, as on the command line. The systemd manager moves it into the
   * scope, whose limits must not hit a program that starts containers and stays.
   */
  readonly becomesMonitor: boolean;
}

/** RuntimeError INVALID_ARGUMENT, LIMIT_UNSUPPORTED when the manager that was asked for cannot work here. */
export function openManager(facts: HostFacts, options: ManagerOptions): CgroupManager {
  const { manager, parent } = options;
  if (manager === "disabled") return disabledManager("cgroups are disabled", undefined);
  if (manager === "systemd") return requireSystemd(facts, options);
  const isSlice = parent?.endsWith(".slice") === true && !parent.includes("/");
  if (manager === undefined && options.becomesMonitor && (parent === undefined || isSlice)) {
    const systemd = tryBus(facts, options.sessionBus);
    if (systemd !== null && facts.cgroup.v2 !== null && facts.cgroup.layout === "v2") {
      return openSystemdManager({ ...facts, cgroup: { v2: facts.cgroup.v2 } }, systemd, parent);
    }
  }
  return openCgroupfs(facts, parent === undefined ? undefined : parseParent(parent), options.becomesMonitor);
}

/** v2 where it has the controllers; where v1 hierarchies exist, they have them. */
function openCgroupfs(facts: HostFacts, parent: string | undefined, becomesMonitor: boolean): CgroupManager {
  const { layout, v2 } = facts.cgroup;
  if (layout === "v2" && v2 !== null) {
    const found = openV2Manager({ ...facts, cgroup: { v2 } }, parent);
    if (found !== null) return found;
    return disabledManager(`your cgroup "${v2.path}" is not delegated to you`, v2Remedy(facts, becomesMonitor));
  }
  if (layout === "v1" || layout === "hybrid") {
    const found = openV1Manager(facts, parent);
    if (found !== null) return found;
    const path = parent ?? conventionalParent(facts.uid);
    return disabledManager(
      parent === undefined ? "no cgroup is delegated to you" : `no cgroup "${parent}" is delegated to you`,
      `as root, for each controller: mkdir -p /sys/fs/cgroup/<controller>${path} && chown ${facts.uid} /sys/fs/cgroup/<controller>${path}`,
    );
  }
  return disabledManager("no cgroup file system is mounted", "mount cgroup2 at /sys/fs/cgroup");
}

const SCOPE_FOR_PROGRAM = "start the program in a scope of its own: systemd-run --user --scope -p Delegate=yes PROGRAM";

function v2Remedy(facts: HostFacts, becomesMonitor: boolean): string {
  if (existsSync(SYSTEMD_RUNS) && !becomesMonitor) return SCOPE_FOR_PROGRAM;
  if (!existsSync(SYSTEMD_RUNS)) return "run pycri in a cgroup that an administrator has handed to you";
  const bus = findBus(facts, undefined, isSocket);
  return "lack" in bus ? bus.remedy : "use --cgroup-manager systemd";
}

/** sd_booted(3). */
const SYSTEMD_RUNS = "/run/systemd/system";

/** The bus of the caller's systemd, or null where none is to be had. */
export function tryBus(
  facts: Pick<HostFacts, "uid" | "userName">,
  sessionBus: string | undefined,
): { uid: number; bus: string } | null {
  if (!existsSync(SYSTEMD_RUNS)) return null;
  const bus = findBus(facts, sessionBus, isSocket);
  return "address" in bus ? { uid: facts.uid, bus: bus.address } : null;
}

function requireSystemd(facts: HostFacts, { sessionBus, parent, becomesMonitor }: ManagerOptions): CgroupManager {
  if (!becomesMonitor) throw noSystemd("it would move this program into the container's scope", SCOPE_FOR_PROGRAM);
  if (!existsSync(SYSTEMD_RUNS)) throw noSystemd("systemd does not run this host", "use --cgroup-manager cgroupfs");
  const { v2, layout } = facts.cgroup;
  if (v2 === null || layout !== "v2") {
    throw noSystemd("the host's controllers are on cgroup v1", "boot it with systemd.unified_cgroup_hierarchy=1");
  }
  const bus = findBus(facts, sessionBus, isSocket);
  if ("lack" in bus) throw noSystemd(bus.lack, bus.remedy);
  return openSystemdManager({ ...facts, cgroup: { v2 } }, { uid: facts.uid, bus: bus.address }, parent);
}

function noSystemd(lack: string, hint: string): RuntimeError {
  return new RuntimeError("LIMIT_UNSUPPORTED", `Cannot use the systemd cgroup manager: ${lack}`, { hint });
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

/**
 * `--cgroup-parent` as an absolute path without `.` and `..`, which would lead out of the hierarchy. RuntimeError
 * INVALID_ARGUMENT.
 */
export function parseParent(parent: string): string {
  const parts = parent.split("/").filter(Boolean);
  if (parts.length === 0 || parts.includes("..") || parts.includes(".")) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot use cgroup parent "${parent}": it must name a cgroup below the root`,
    );
  }
  return `/${parts.join("/")}`;
}

/** Leaves the container in the caller's cgroup, and objects to limits. */
function disabledManager(reason: string, remedy: string | undefined): CgroupManager {
  return {
    name: "disabled",
    lack: { reason, remedy: remedy ?? null },
    levels: [hostAllowance()],
    cgroup: { controllers: new Set(), hasFile: () => false },
    limitsSwap: false,
    prepare: ({ resources, policy }: CgroupRequest): Promise<PreparedCgroup> => {
      const unsupported = limitNames(resources).map((limit) => ({ limit, reason }));
      return Promise.resolve({ plan: NO_CGROUP, record: null, warnings: applyPolicy(policy, unsupported, remedy) });
    },
  };
}
