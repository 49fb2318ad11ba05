/** The options that limit resources, which `pycri run` and `pycri update` share. Spellings are Docker's and Podman's. */

import type { ResourceOptions } from "../engine/request/limits.ts";
import type { OptionValues } from "./command.ts";

export const LIMIT_OPTIONS = {
  memory: {
    type: "value",
    short: "m",
    aliases: ["mem"],
    value: "SIZE",
    help: "memory limit, or a percentage of what there is",
    group: "Limits",
  },
  "memory-swap": { type: "value", value: "SIZE", help: "limit of memory and swap together", group: "Limits" },
  "memory-reservation": { type: "value", value: "SIZE", help: "memory to keep when memory is short", group: "Limits" },
  "memory-high": { type: "value", value: "SIZE", help: "throttle above this much memory", group: "Limits" },
  "memory-swappiness": {
    type: "value",
    value: "N",
    help: "how readily to swap, 0 to 100 (cgroup v1)",
    group: "Limits",
  },
  "oom-kill-disable": { type: "flag", help: "do not kill when memory runs out (cgroup v1)", group: "Limits" },
  "oom-group": { type: "flag", help: "kill all of the container when memory runs out", group: "Limits" },
  cpus: { type: "value", value: "N", help: "number of processors, e.g. 1.5 or 50%", group: "Limits" },
  "cpu-quota": { type: "value", value: "USEC", help: "processor time in a period", group: "Limits" },
  "cpu-period": { type: "value", value: "USEC", help: "length of a period", group: "Limits" },
  "cpu-burst": { type: "value", value: "USEC", help: "processor time that may be saved up", group: "Limits" },
  "cpu-shares": { type: "value", short: "c", value: "N", help: "relative weight, 1024 by default", group: "Limits" },
  "cpu-idle": { type: "flag", help: "run only when nobody else wants to", group: "Limits" },
  "cpuset-cpus": { type: "value", value: "LIST", help: "processors to run on, e.g. 0-3,5", group: "Limits" },
  "cpuset-mems": { type: "value", value: "LIST", help: "memory nodes to use", group: "Limits" },
  "pids-limit": {
    type: "value",
    value: "N",
    help: "number of tasks, 2048 by default, -1 for no limit",
    group: "Limits",
  },
  "blkio-weight": { type: "value", value: "N", help: "block I/O weight, 10 to 1000", group: "Limits" },
  "blkio-weight-device": { type: "list", value: "DEV:N", help: "block I/O weight of a device", group: "Limits" },
  "device-read-bps": { type: "list", value: "DEV:SIZE", help: "bytes a second read from a device", group: "Limits" },
  "device-write-bps": { type: "list", value: "DEV:SIZE", help: "bytes a second written to a device", group: "Limits" },
  "device-read-iops": { type: "list", value: "DEV:N", help: "reads a second from a device", group: "Limits" },
  "device-write-iops": { type: "list", value: "DEV:N", help: "writes a second to a device", group: "Limits" },
  "hugepage-limit": { type: "list", value: "PAGE:SIZE", help: "limit of huge pages, e.g. 2MB:64m", group: "Limits" },
  "cgroup-conf": {
    type: "list",
    value: "FILE=VALUE",
    help: "write a file of cgroup v2 as it is, e.g. memory.high=1073741824",
    group: "Limits",
  },
} as const;

type Mutable<T> = { -readonly [Key in keyof T]?: T[Key] | undefined };

/** Values of the table under the library's names; what was not given is undefined. */
export function limitOptionsOf(values: OptionValues<typeof LIMIT_OPTIONS>): Mutable<ResourceOptions> {
  return {
    memory: values.memory,
    memorySwap: values["memory-swap"],
    memoryReservation: values["memory-reservation"],
    memoryHigh: values["memory-high"],
    memorySwappiness: values["memory-swappiness"],
    oomKillDisable: values["oom-kill-disable"],
    oomGroup: values["oom-group"],
    cpus: values.cpus,
    cpuQuota: values["cpu-quota"],
    cpuPeriod: values["cpu-period"],
    cpuBurst: values["cpu-burst"],
    cpuShares: values["cpu-shares"],
    cpuIdle: values["cpu-idle"],
    cpusetCpus: values["cpuset-cpus"],
    cpusetMems: values["cpuset-mems"],
    pidsLimit: values["pids-limit"],
    blkioWeight: values["blkio-weight"],
    blkioWeightDevice: values["blkio-weight-device"],
    deviceReadBps: values["device-read-bps"],
    deviceWriteBps: values["device-write-bps"],
    deviceReadIops: values["device-read-iops"],
    deviceWriteIops: values["device-write-iops"],
    hugepageLimits: values["hugepage-limit"],
    cgroupConf: values["cgroup-conf"],
  };
}
