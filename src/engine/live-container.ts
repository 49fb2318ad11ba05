/** Finding the cgroup of a running container, for the use cases that work on it. */
import type { CgroupRecord } from "../plan/cgroup-plan.ts";
import { RuntimeError } from "../errors.ts";
import { type ContainerState, findContainer } from "../store/container-store.ts";

export interface LiveContainer {
  readonly state: ContainerState;
  readonly cgroup: CgroupRecord;
}

/** @throws RuntimeError CONTAINER_NOT_FOUND, INVALID_STATE, LIMIT_UNSUPPORTED for a container without a cgroup. */
export function findLiveContainer(stateDirectory: string, wanted: string): LiveContainer {
  const state = findContainer(stateDirectory, wanted);
  if (state.status !== "running") {
    throw new RuntimeError("INVALID_STATE", `Cannot do that to container "${wanted}": it is ${state.status}`);
  }
  const { cgroup } = state.config;
  if (cgroup === null) {
    throw new RuntimeError(
      "LIMIT_UNSUPPORTED",
      `Cannot do that to container "${wanted}": it has no cgroup of its own`,
      {
        hint: "'pycri doctor' tells what a cgroup needs on this host; then start the container again",
      },
    );
  }
  return { state, cgroup };
}
