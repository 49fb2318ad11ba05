/**
 * Device files. A user namespace has no mknod(2), so each is the host's own node bound to its path; without one, binding
 * is just as good, and the host's permissions hold.
 */

import { RuntimeError } from "../errors.ts";
import { MOUNT_ATTR } from "../oci/mount-options.ts";
import type { LinuxDevice, Mount } from "../oci/spec.ts";
import { parseMountTarget } from "./container-path.ts";
import { ANCHOR, type ContainerOperation, CREATE } from "./operations.ts";
import type { Slots } from "./slots.ts";

/** config-linux.md, "Default Devices"; ptmx and console are of the container's own devpts. */
const DEFAULT_DEVICES: readonly string[] = ["full", "null", "random", "tty", "urandom", "zero"];

const LINKS: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

export interface DevicePlan {
  readonly sources: readonly ContainerOperation[];
  /** After the Spec's mounts. */
  readonly attach: readonly ContainerOperation[];
}

export function planDevices(
  mounts: readonly Mount[],
  devices: readonly LinuxDevice[],
  terminal: boolean,
  slots: Slots,
): DevicePlan {
  const targets = new Set(mounts.map((mount) => parseMountTarget(mount.destination)));
  // Whoever binds a /dev of their own has filled it already.
  const bound = mounts.some((mount) => parseMountTarget(mount.destination) === "/dev" && mount.type !== "tmpfs");
  const wanted = bound ? [] : DEFAULT_DEVICES.map((name) => `/dev/${name}`);
  for (const device of devices) {
    const path = parseMountTarget(device.path);
    if (device.type === "p") {
      throw new RuntimeError("INVALID_SPEC", `Cannot make the named pipe "${path}" as a device`, {
        hint: "Make it in the root filesystem with mkfifo.",
      });
    }
    if (!wanted.includes(path)) wanted.push(path);
  }

  const sources: ContainerOperation[] = [];
  const attach: ContainerOperation[] = [];
  for (const path of wanted) {
    if (targets.has(path)) continue;
    const slot = slots.take();
    sources.push({ op: "openTree", slot, path, recursive: 0 });
    attach.push({
      op: "attach",
      slot,
      anchor: ANCHOR.root,
      target: path,
      create: CREATE.matching,
      set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC,
      clear: 0n,
      propagation: 0n,
      recursive: 0,
    });
  }
  if (!bound) {
    for (const [path, target] of LINKS) attach.push({ op: "makeSymlink", anchor: ANCHOR.root, path, target });
    // The terminal is bound over it.
    if (terminal) attach.push({ op: "makeFile", anchor: ANCHOR.root, path: "/dev/console", mode: 0o620 });
  }
  return { sources, attach };
}
