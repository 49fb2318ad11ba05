/** From the values of `pycri run`'s option table to the library's `RunOptions`: names change, values stay text. */

import { RuntimeError } from "../errors.ts";
import type { RunOptions } from "../engine/request/run-options.ts";
import { limitOptionsOf } from "./limit-options.ts";
import type { ContainerValues } from "./run-syntax.ts";

type Mutable<T> = { -readonly [Key in keyof T]?: T[Key] | undefined };

/** @throws RuntimeError INVALID_ARGUMENT when ROOTFS is missing or flags exclude each other. */
export function runOptionsOf(values: ContainerValues, operands: readonly string[]): RunOptions {
  const [first, ...rest] = operands;
  const rootfs = values.rootfs ?? first;
  if (rootfs === undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", "ROOTFS is missing", {
      hint: "give a directory that holds a root filesystem, or the word host: pycri run host",
    });
  }
  if (values.rw === true && values["read-only"] === true) {
    throw new RuntimeError("INVALID_ARGUMENT", "Cannot use --rw and --read-only together");
  }
  const options: Mutable<RunOptions> = {
    rootfs: directoryOperand(rootfs, values.rootfs !== undefined),
    command: values.rootfs === undefined ? rest : operands,
    entrypoint: values.entrypoint,
    writes: values.rw === true ? "through" : values["read-only"] === true ? "refuse" : undefined,
    upper: values.upper,
    name: values.name,
    remove: values.rm,
    labels: values.label,
    cidFile: values.cidfile,
    pidFile: values.pidfile,

    userns: values.userns,
    uidMappings: values.uidmap,
    gidMappings: values.gidmap,
    pid: values.pid as RunOptions["pid"],
    ipc: values.ipc as RunOptions["ipc"],
    uts: values.uts as RunOptions["uts"],
    cgroupns: values.cgroupns as RunOptions["cgroupns"],
    network: values.network as RunOptions["network"],
    timeOffset: values["time-offset"],

    volumes: values.volume,
    mounts: values.mount,
    tmpfs: values.tmpfs,
    devices: values.device,
    shmSize: values["shm-size"],

    environment: values.env,
    environmentFiles: values["env-file"],
    workingDirectory: values.workdir,
    user: values.user,
    groups: values["group-add"],
    hostname: values.hostname,
    ulimits: values.ulimit,
    sysctls: values.sysctl,
    oomScoreAdj: values["oom-score-adj"],
    umask: values.umask,
    init: values.init,
    interactive: values.interactive,
    terminal: values.tty,
    forwardSignals: values["sig-proxy"],
    stopTimeout: values["stop-timeout"],

    capAdd: values["cap-add"],
    capDrop: values["cap-drop"],
    privileged: values.privileged,
    securityOptions: values["security-opt"],

    ...limitOptionsOf(values),
    cgroups: values.cgroups as RunOptions["cgroups"],
    cgroupManager: values["cgroup-manager"] as RunOptions["cgroupManager"],
    cgroupParent: values["cgroup-parent"],
  };
  for (const key of Object.keys(options) as (keyof RunOptions)[]) {
    if (options[key] === undefined) delete options[key];
  }
  return options as RunOptions;
}

/** `--rootfs NAME` is a directory whatever it looks like; the operand may be an image's name. */
function directoryOperand(rootfs: string, isDirectory: boolean): string {
  return isDirectory && !rootfs.includes("/") ? `./${rootfs}` : rootfs;
}
