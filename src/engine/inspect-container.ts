/** What `docker container inspect` prints for one container, as far as pycri knows it. */

import { isFrozen } from "../cgroup/live-cgroup.ts";
import type { Healthcheck } from "../oci/image-config.ts";
import { findContainer } from "../store/container-store.ts";

/** @throws RuntimeError CONTAINER_NOT_FOUND. */
export function inspectContainer(stateDirectory: string, wanted: string): Record<string, unknown> {
  const { config, status, pid, exitCode, signal, oomKills } = findContainer(stateDirectory, wanted);
  const { command, files, image } = config;
  const running = status === "running";
  const paused = running && config.cgroup !== null && isFrozen(config.cgroup);
  const lower = files === null ? [] : (files.layers?.map((layer) => `${files.path}/${layer}`) ?? [files.path]);
  return {
    Id: config.id,
    Created: config.created,
    Path: command[0] ?? "",
    Args: command.slice(1),
    State: {
      Status: paused ? "paused" : status === "stopped" ? "exited" : status,
      Running: running,
      Paused: paused,
      OOMKilled: oomKills > 0,
      Pid: pid ?? 0,
      ExitCode: exitCode ?? (signal === null ? 0 : 128 + signal),
    },
    Image: image?.id ?? "",
    // As Docker has it.
    Name: config.name === null ? "" : `/${config.name}`,
    HostConfig: { AutoRemove: !config.keep },
    GraphDriver: {
      Name: "overlay",
      Data: {
        LowerDir: lower.join(":"),
        ...(files?.layer == null ? {} : { UpperDir: `${files.layer}/upper`, WorkDir: `${files.layer}/work` }),
      },
    },
    Mounts: (files?.mountPoints ?? []).map((path) => ({ Destination: path })),
    Config: {
      Image: image?.name ?? config.rootfs,
      Cmd: command,
      Labels: config.labels,
      ExposedPorts: Object.fromEntries((image?.exposedPorts ?? []).map((port) => [port, {}])),
      StopSignal: image === null || image.stopSignal === "" ? "SIGTERM" : image.stopSignal,
      ...(image?.healthcheck == null ? {} : { Healthcheck: healthcheckOf(image.healthcheck) }),
    },
  };
}

function healthcheckOf({ test, interval, timeout, startPeriod, retries }: Healthcheck): Record<string, unknown> {
  return { Test: test, Interval: interval, Timeout: timeout, StartPeriod: startPeriod, Retries: retries };
}
