/** Which containers get a cgroup of their own. */

import type { RunRequest } from "../plan/run-request.ts";

/** Without limits a container does not need one, and starts sooner. */
export function wantsCgroup({ resources, cgroupManager, cgroupParent }: RunRequest): boolean {
  return Object.keys(resources).length > 0 || cgroupManager !== undefined || cgroupParent !== undefined;
}
