/** Finding the cgroup of a running container, for the use cases that work on it. `action`: the verb of messages. */
import type { CgroupRecord } from "../plan/cgroup-plan.ts";
import { RuntimeError } from "../errors.ts";
import { type ContainerState, findContainer } from "../store/container-store.ts";

export interface LiveContainer {
  readonly state: ContainerState;
  readonly cgroup: CgroupRecord;
}

/** @throws RuntimeError CONTAINER_NOT_FOUND, INVALID_STATE, LIMIT_UNSUPPORTED for a container without a cgroup. */
export function findLiveContainer(stateDirectory: string, wanted: string, action: string): LiveContainer {
  const state = findContainer(stateDirectory, wanted);
  if (state.status !== "running") {
    throw new RuntimeError("INVALID_STATE", `Cannot ${action} the container "${wanted}": it is ${state.status}`);
  }
  const { cgroup } = state.config;
  if (cgroup === null) {
    throw new RuntimeError(
      "LIMIT_UNSUPPORTED",
      `Cannot ${action} the container "${wanted}": it has no cgroup of its own`,
      { hint: "start it with --name or a limit, on a host where a cgroup is delegated to you (docs/cgroups.md)" },
    );
  }
  return { state, cgroup };
}
