/** The cgroup hierarchies that the caller sees, from its mounts and its memberships. Pure. */

import type { HostFacts } from "../plan/host-facts.ts";
import type { CgroupMembership, MountInfo } from "./parse-host-files.ts";

export type CgroupFacts = HostFacts["cgroup"];

/**
 * @param mounts of the caller, in mount order.
 * @param readControllers gives the words of cgroup.controllers in a v2 directory, none when it cannot be read.
 */
export function buildCgroupFacts(
  mounts: readonly MountInfo[],
  memberships: readonly CgroupMembership[],
  readControllers: (directory: string) => readonly string[],
): CgroupFacts {
  const v1: { controller: string; mountPoint: string; path: string }[] = [];
  for (const { controllers, path } of memberships) {
    for (const controller of controllers) {
      const mount = mounts.find(({ type, superOptions }) => type === "cgroup" && superOptions.includes(controller));
      if (mount === undefined) continue;
      v1.push({ controller, mountPoint: mount.mountPoint, path: pathBelow(mount.root, path) });
    }
  }

  const unified = memberships.find(({ controllers }) => controllers.length === 0);
  const mount = mounts.find(({ type }) => type === "cgroup2");
  let v2: CgroupFacts["v2"] = null;
  if (unified !== undefined && mount !== undefined) {
    const path = pathBelow(mount.root, unified.path);
    v2 = { mountPoint: mount.mountPoint, path, controllers: readControllers(mount.mountPoint + path) };
  }
  // Named hierarchies ("name=systemd") have no controllers and say nothing about the layout.
  const hasV1 = v1.some(({ controller }) => !controller.startsWith("name="));
  const layout = hasV1 ? (v2 === null ? "v1" : "hybrid") : v2 === null ? "none" : "v2";
  return { layout, v1, v2 };
}

/** A membership path as seen below a mount of part of the hierarchy: container engines mount only their own subtree. */
function pathBelow(mountRoot: string, path: string): string {
  if (mountRoot === "/" || mountRoot === "") return path;
  if (path === mountRoot) return "/";
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length) : path;
}
