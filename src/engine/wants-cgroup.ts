/** Which containers get a cgroup of their own. */

import type { RunRequest } from "../plan/run-request.ts";

/**
 * Without limits a container does not need one, and starts sooner. One with a name is there to be addressed: `pycri pause`,
 * `stats` and `update` work on cgroups.
 */
export function wantsCgroup({ name, resources, cgroups, cgroupManager, cgroupParent }: RunRequest): boolean {
  return (
    Object.keys(resources).length > 0 ||
    cgroupManager !== undefined ||
    cgroupParent !== undefined ||
    (name !== undefined && cgroups !== "disabled")
  );
}
