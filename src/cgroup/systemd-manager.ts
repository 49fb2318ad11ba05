/**
 * The manager for hosts where systemd owns the cgroup tree: each container gets a transient scope of the user's systemd
 * (of the system's, for root), delegated to us, into which systemd itself moves the process that becomes the monitor.
 * That works from any session or service of the same user, which the kernel's rules for unprivileged moves would not
 * allow. Inside, the scope is a subtree like any other.
 *
 * ```
 *   pycri-<id>.scope          limits with room for the monitor; goes when its last process ends
 *   ├── pycri-supervisor      monitor, janitor
 *   └── container             the exact limits
 * ```
 */
import { existsSync } from "node:fs";
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { RuntimeError } from "../errors.ts";
import { applyPolicy } from "./apply-policy.ts";
import type { Allowance } from "./capacity.ts";
import { hostAllowance, readCgroupFile, readV2Levels } from "./cgroup-files.ts";
import { leafName } from "./cgroup-plans.ts";
import type { CgroupInterface } from "./limit-writes.ts";
import type { CgroupManager, CgroupRequest, PreparedCgroup } from "./manager.ts";
import { scopeProperties, type UnitProperty } from "./scope-properties.ts";
import { v2LimitWrites } from "./v2-limits.ts";
import { prepareV2Leaf, v2Interface, type V2Facts } from "./v2-manager.ts";
import { readWords } from "./v2-subtree.ts";

/** What the manager needs to know of systemd. */
export interface SystemdFacts {
  readonly uid: number;
  /** Address of the bus on which the caller's manager listens. */
  readonly bus: string;
}

const SLICE_SUFFIX = ".slice";

/** The leaf of the container in its scope. */
const CONTAINER = "container";

/** `slice`: --cgroup-parent. RuntimeError INVALID_ARGUMENT unless it names a slice. */
export function openSystemdManager(facts: V2Facts, systemd: SystemdFacts, slice: string | undefined): CgroupManager {
  if (slice !== undefined && !/^[A-Za-z0-9:_.\\-]+\.slice$/.test(slice)) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use cgroup parent "${slice}" with systemd: it is no slice`, {
      hint: "name a unit such as machines.slice, or use --cgroup-manager cgroupfs",
    });
  }
  return new SystemdManager(facts, systemd, slice);
}

class SystemdManager implements CgroupManager {
  readonly name = "systemd";
  readonly levels: readonly Allowance[];
  readonly cgroup: CgroupInterface;
  readonly limitsSwap: boolean;
  readonly #facts: V2Facts;
  readonly #systemd: SystemdFacts;
  readonly #slice: string | undefined;
  /** Where the units of this systemd live. */
  readonly #root: string;

  constructor(facts: V2Facts, systemd: SystemdFacts, slice: string | undefined) {
    const { mountPoint } = facts.cgroup.v2;
    const { uid } = systemd;
    this.#facts = facts;
    this.#systemd = systemd;
    this.#slice = slice;
    this.#root = managerRoot(mountPoint, uid);
    this.levels = [hostAllowance(), ...readV2Levels(this.#sliceDirectory(), mountPoint)];
    this.cgroup = v2Interface(this.#root, new Set(readWords(`${this.#root}/cgroup.controllers`)));
    this.limitsSwap = this.cgroup.hasFile("memory.swap.max");
  }

  async prepare(request: CgroupRequest): Promise<PreparedCgroup> {
    const unit = `${leafName(request.containerId)}.scope`;
    // Before the scope is started, which would last as long as this process.
    const { unsupported } = v2LimitWrites(request.resources, this.cgroup);
    applyPolicy(request.policy, unsupported, this.#delegationHint());
    if (!request.dryRun) await this.#startScope(unit, request.resources);
    const scope = request.dryRun ? `${this.#root}/${this.#slice ?? "app.slice"}/${unit}` : this.#scopeOf(unit);
    const levels = [hostAllowance(), ...readV2Levels(scope, this.#facts.cgroup.v2.mountPoint).slice(1)];
    const { plan, warnings } = prepareV2Leaf(this.#facts, scope, CONTAINER, request, levels);
    return {
      plan,
      record: { version: 2, directory: `${scope}/${CONTAINER}`, unit: { name: unit, bus: this.#systemd.bus } },
      warnings,
    };
  }

  /** The slice's cgroup: `a-b.slice` lies in `a.slice`. Before its first unit it does not exist and limits nothing. */
  #sliceDirectory(): string {
    const words = (this.#slice ?? "app.slice").slice(0, -SLICE_SUFFIX.length).split("-");
    const path = words.map((_, index) => `/${words.slice(0, index + 1).join("-")}${SLICE_SUFFIX}`).join("");
    return existsSync(this.#root + path) ? this.#root + path : this.#root;
  }

  #delegationHint(): string {
    return this.#systemd.uid === 0
      ? "this kernel lacks the controller"
      : "`systemctl edit user@.service` with [Service] and Delegate=cpu cpuset io memory pids delegates it from the next login on";
  }

  async #startScope(unit: string, resources: LinuxResources): Promise<void> {
    const properties: UnitProperty[] = [
      { name: "Description", signature: "s", value: `pycri container ${unit}` },
      // Forget the unit when it ends, however it ends.
      { name: "CollectMode", signature: "s", value: "inactive-or-failed" },
      { name: "Delegate", signature: "b", value: true },
      { name: "PIDs", signature: "au", value: [process.pid] },
      ...(this.#slice === undefined ? [] : [{ name: "Slice", signature: "s", value: this.#slice }]),
      ...scopeProperties(resources),
    ];
    const { SystemdBus } = await import("./systemd-bus.ts");
    using bus = new SystemdBus(this.#systemd.bus);
    await bus.startTransientUnit(unit, properties);
  }

  /** The directory of the scope this process is in now. */
  #scopeOf(unit: string): string {
    const path = /^0::(.*)$/m.exec(readCgroupFile("/proc/self/cgroup") ?? "")?.[1] ?? "";
    if (!path.endsWith(`/${unit}`)) {
      throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot use unit "${unit}": systemd left this process in "${path}"`);
    }
    return this.#facts.cgroup.v2.mountPoint + path;
  }
}

/** The cgroup below which the units of a user's systemd live, or of the system's for root. */
export function managerRoot(mountPoint: string, uid: number): string {
  return uid === 0 ? mountPoint : `${mountPoint}/user.slice/user-${uid}.slice/user@${uid}.service`;
}

/** The address of the bus that the caller's systemd listens on, or why there is none. */
export function findBus(
  facts: Pick<HostFacts, "uid" | "userName">,
  sessionBus: string | undefined,
  isSocket: (path: string) => boolean,
): { readonly address: string } | { readonly lack: string; readonly remedy: string } {
  const { uid } = facts;
  if (uid === 0) {
    const path = "/run/dbus/system_bus_socket";
    if (isSocket(path)) return { address: `unix:path=${path}` };
    return { lack: `there is no socket ${path}`, remedy: "start dbus.service" };
  }
  // First where the user's systemd is known to listen: the environment may be left over from another session or user.
  const directory = `/run/user/${uid}`;
  if (isSocket(`${directory}/bus`)) return { address: `unix:path=${directory}/bus` };
  if (sessionBus !== undefined && sessionBus !== "") return { address: sessionBus };
  if (isSocket(`${directory}/systemd/private`)) {
    return { lack: `your systemd has no D-Bus socket ${directory}/bus`, remedy: "install dbus-user-session" };
  }
  return {
    lack: "no systemd runs for your user",
    remedy: `\`loginctl enable-linger ${facts.userName ?? uid}\` starts one that stays without a login`,
  };
}
