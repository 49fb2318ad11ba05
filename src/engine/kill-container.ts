/** `pycri kill`: a signal for a container's first process. */

import { constants } from "node:os";
import { letDie } from "../cgroup/live-cgroup.ts";
import { RuntimeError } from "../errors.ts";
import { findContainer, readContainer } from "../store/container-store.ts";
import { closeProcess, openProcess, signalProcess } from "../sys/process-signals.ts";

/**
 * Send a signal, by number, to the container's first process. The kernel ignores one that PID 1 of a PID namespace does
 * not handle, SIGKILL and SIGSTOP apart (pid_namespaces(7)).
 * @returns the container's id.
 * @throws RuntimeError CONTAINER_NOT_FOUND, INVALID_STATE for one that does not run.
 */
export function killContainer(stateDirectory: string, wanted: string, signal: number): string {
  const { config, status, pid } = findContainer(stateDirectory, wanted);
  const process = pid === null ? null : openProcess(pid);
  try {
    // Read again once the process is held: had it ended in between, another could have got its id.
    if (process !== null && readContainer(stateDirectory, config.id)?.pid === pid && signalProcess(process, signal)) {
      if (signal === constants.signals.SIGKILL && config.cgroup !== null) letDie(config.cgroup);
      return config.id;
    }
  } finally {
    if (process !== null) closeProcess(process);
  }
  throw new RuntimeError(
    "INVALID_STATE",
    `Cannot signal container "${wanted}": it is ${pid === null ? status : "stopped"}`,
  );
}
