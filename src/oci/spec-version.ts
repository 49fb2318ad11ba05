/** The oldest version of the OCI runtime specification that knows all of a Spec: what other runtimes have to know. Pure. */

import type { Spec } from "./spec.ts";

/** Runtimes compare, and older ones refuse what is newer than they are. Below 1.1.0 no distinction is made. */
export function oldestVersion({ mounts = [], linux = {}, process }: Spec): string {
  if (linux.netDevices !== undefined || linux.memoryPolicy !== undefined) return "1.3.0";
  if (process?.execCPUAffinity !== undefined) return "1.2.1";
  const idmaps = mounts.some(({ options = [] }) => options.includes("idmap") || options.includes("ridmap"));
  return idmaps ? "1.2.0" : "1.1.0";
}
