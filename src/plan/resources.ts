/**
 * The limits of a `RunRequest` → `linux.resources` of the OCI Spec. Pure: devices are named by path in a request and by
 * number in the Spec, so their numbers come as an argument.
 */
import type { BlockDevice, LinuxResources, ThrottledDevice } from "../oci/linux-resources.ts";
import type { ResourceRequest } from "./run-request.ts";

/**
 * Tasks of a container that asked for no limit, Podman's default: enough for a large build, and far too few for a fork
 * bomb to hurt the host.
 */
export const DEFAULT_PIDS_LIMIT = 2048;

/**
 * `deviceNumber`: the device a path names, as stat(2) st_rdev tells. `limitsSwap`: whether the cgroup to come can
 * limit swap. Then a container with a memory limit and no word about swap may swap as much again, as with Docker.
 */
export function buildResources(
  request: ResourceRequest,
  deviceNumber: (path: string) => BlockDevice,
  limitsSwap: boolean,
): LinuxResources {
  const memory = prune({
    limit: request.memory,
    swap: request.memorySwap ?? (limitsSwap && (request.memory ?? 0) > 0 ? 2 * (request.memory ?? 0) : undefined),
    reservation: request.memoryReservation,
    swappiness: request.memorySwappiness,
    disableOOMKiller: request.oomKillDisable,
  });
  const cpu = prune({
    shares: request.cpuShares,
    quota: request.cpuQuota,
    period: request.cpuPeriod,
    burst: request.cpuBurst,
    cpus: request.cpusetCpus,
    mems: request.cpusetMems,
    idle: request.cpuIdle === undefined ? undefined : Number(request.cpuIdle),
  });
  const rates = (list: ResourceRequest["deviceReadBps"]): readonly ThrottledDevice[] | undefined =>
    list?.map(({ path, rate }) => ({ ...deviceNumber(path), rate }));
  const blockIO = prune({
    weight: request.blkioWeight,
    weightDevice: request.blkioWeightDevice?.map(({ path, weight }) => ({ ...deviceNumber(path), weight })),
    throttleReadBpsDevice: rates(request.deviceReadBps),
    throttleWriteBpsDevice: rates(request.deviceWriteBps),
    throttleReadIOPSDevice: rates(request.deviceReadIops),
    throttleWriteIOPSDevice: rates(request.deviceWriteIops),
  });
  const unified = prune({
    ...request.unified,
    "memory.high": request.memoryHigh === undefined ? undefined : formatHigh(request.memoryHigh),
    "memory.oom.group": request.oomGroup === undefined ? undefined : String(Number(request.oomGroup)),
  });
  const pids = request.pidsLimit === undefined ? undefined : { limit: request.pidsLimit > 0 ? request.pidsLimit : -1 };
  return prune({
    memory: nonEmpty(memory),
    cpu: nonEmpty(cpu),
    pids,
    blockIO: nonEmpty(blockIO),
    hugepageLimits: request.hugepageLimits,
    unified: nonEmpty(unified),
  });
}

/** memory.high has no place of its own in the Spec, so it travels as a `unified` key. */
function formatHigh(bytes: number): string {
  return bytes < 0 ? "max" : BigInt(bytes).toString();
}

type Pruned<T> = { readonly [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  readonly [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** Leaves out what is undefined, so that "absent" has one form. */
function prune<T extends object>(value: T): Pruned<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Pruned<T>;
}

function nonEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}
