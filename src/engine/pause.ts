/** `pycri pause` and `pycri unpause`: stop every process of a container where it stands, and let it go on. */
import { isFrozen, setFrozen } from "../cgroup/live-cgroup.ts";
import { RuntimeError } from "../errors.ts";
import { findLiveContainer } from "./live-container.ts";

/** Resolves to the container's id once nothing in it runs. @throws RuntimeError INVALID_STATE when it is paused already. */
export async function pauseContainer(stateDirectory: string, wanted: string): Promise<string> {
  const { state, cgroup } = findLiveContainer(stateDirectory, wanted, "pause");
  if (isFrozen(cgroup)) throw new RuntimeError("INVALID_STATE", `Cannot pause the container "${wanted}": it is paused`);
  await setFrozen(cgroup, true);
  return state.config.id;
}

/** Resolves to the container's id. @throws RuntimeError INVALID_STATE when it is not paused. */
export async function unpauseContainer(stateDirectory: string, wanted: string): Promise<string> {
  const { state, cgroup } = findLiveContainer(stateDirectory, wanted, "unpause");
  if (!isFrozen(cgroup)) {
    throw new RuntimeError("INVALID_STATE", `Cannot unpause the container "${wanted}": it is not paused`);
  }
  await setFrozen(cgroup, false);
  return state.config.id;
}
