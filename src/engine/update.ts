/** `pycri update`: change the limits of a running container. */
import { resolvePercentages } from "../cgroup/capacity.ts";
import { readLevelsAbove, updateLimits } from "../cgroup/live-cgroup.ts";
import { RuntimeError } from "../errors.ts";
import { buildResources } from "../plan/resources.ts";
import type { ResourceRequest } from "../plan/run-request.ts";
import { findLiveContainer } from "./live-container.ts";
import { deviceNumber } from "./prepare-cgroup.ts";

/**
 * Resolves to the container's id. What the request does not name stays as it is.
 * @throws RuntimeError INVALID_ARGUMENT for a request without limits, LIMIT_UNSUPPORTED for one that cannot be applied.
 */
export async function updateContainer(
  stateDirectory: string,
  wanted: string,
  request: ResourceRequest,
): Promise<string> {
  const { state, cgroup } = findLiveContainer(stateDirectory, wanted, "update");
  const resources = buildResources(resolvePercentages(request, readLevelsAbove(cgroup)), deviceNumber, false);
  if (Object.keys(resources).length === 0) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot update the container "${wanted}": no limit is given`);
  }
  await updateLimits(cgroup, resources);
  return state.config.id;
}
