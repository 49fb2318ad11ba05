/**
 * Landlock behind read-only mounts: a second, independent reason why what is read-only cannot be written. The rules only
 * ever allow, and a rule holds for everything below its path; so they express "read-only except …" and nothing else, and
 * are used when the root itself is read-only. A process under Landlock cannot mount anything any more.
 */

import { RuntimeError } from "../errors.ts";
import { MOUNT_ATTR, sortMountOptions } from "../oci/mount-options.ts";
import type { Spec } from "../oci/spec.ts";
import { parseMountTarget } from "./container-path.ts";
import type { HostFacts } from "./host-facts.ts";
import type { LaunchOptions } from "./launch-options.ts";
import type { ContainerOperation } from "./operations.ts";

/** LANDLOCK_ACCESS_FS_*: everything that changes a file system (include/uapi/linux/landlock.h). */
const ACCESS_FS = {
  WRITE_FILE: 1n << 1n,
  REMOVE_DIR: 1n << 4n,
  REMOVE_FILE: 1n << 5n,
  MAKE_CHAR: 1n << 6n,
  MAKE_DIR: 1n << 7n,
  MAKE_REG: 1n << 8n,
  MAKE_SOCK: 1n << 9n,
  MAKE_FIFO: 1n << 10n,
  MAKE_BLOCK: 1n << 11n,
  MAKE_SYM: 1n << 12n,
  REFER: 1n << 13n,
  TRUNCATE: 1n << 14n,
} as const;

/** ABI 1 refuses every rename(2) between directories, allowed or not: programs would break. */
const FIRST_USABLE_ABI = 2;
const TRUNCATE_ABI = 3;

/** What the caller connected: `echo >/dev/stderr` opens it once more, and it may be a file of the host. */
const INHERITED: readonly string[] = ["/proc/self/fd/1", "/proc/self/fd/2"];

export interface LandlockStatus {
  readonly usable: boolean;
  /** The kernel's Landlock ABI, 0 without Landlock. */
  readonly abi: number;
  readonly reason: string;
}

/** For `pycri info`. */
export function landlockStatus(facts: HostFacts): LandlockStatus {
  const abi = facts.landlockAbi;
  if (abi === 0) return { usable: false, abi, reason: "the kernel has no Landlock, or it is not among its lsm=" };
  if (abi < FIRST_USABLE_ABI) {
    return { usable: false, abi, reason: `ABI ${abi} refuses every rename between directories; Linux 5.19 is needed` };
  }
  return { usable: true, abi, reason: "read-only root filesystems are enforced twice" };
}

export function planLandlock(
  spec: Spec,
  options: LaunchOptions,
  facts: HostFacts,
  filtered: boolean,
): readonly ContainerOperation[] {
  if (options.landlock === "off") return [];
  const lack = lackOfLandlock(spec, options, facts, filtered);
  if (lack !== null) {
    if (options.landlock === "auto") return [];
    throw lack;
  }
  const handled = Object.entries(ACCESS_FS)
    .filter(([name]) => name !== "TRUNCATE" || facts.landlockAbi >= TRUNCATE_ABI)
    .reduce((rights, [, right]) => rights | right, 0n);
  return [
    { op: "landlockBegin", handled },
    ...[...writablePaths(spec, options), ...INHERITED].map((path): ContainerOperation => ({
      op: "landlockAllow",
      path,
      access: handled,
    })),
    { op: "landlockEnforce" },
  ];
}

function lackOfLandlock(spec: Spec, options: LaunchOptions, facts: HostFacts, filtered: boolean): RuntimeError | null {
  const status = landlockStatus(facts);
  if (!status.usable) {
    return new RuntimeError("HOST_UNSUPPORTED", `Cannot enforce Landlock rules: ${status.reason}`, {
      hint: "Use --security-opt landlock=auto.",
    });
  }
  if (options.root.kind === "directory" && spec.root?.readonly !== true) {
    return new RuntimeError("INVALID_ARGUMENT", "Landlock rules need a read-only root filesystem", {
      hint: "Add --read-only: Landlock allows below a path, and cannot take a part of it back.",
    });
  }
  // Whoever switches the filter off may want to mount, which Landlock would refuse.
  if (!filtered && options.landlock === "auto") {
    return new RuntimeError("INVALID_ARGUMENT", "Landlock rules are left out without a seccomp filter");
  }
  return null;
}

/** Where the container may write: the mounts that are not read-only. */
function writablePaths(spec: Spec, options: LaunchOptions): readonly string[] {
  const covered = options.root.kind === "host" ? options.root.hidden.map((entry) => entry.path) : [];
  const mounted = (spec.mounts ?? [])
    .filter((mount) => {
      const { attributes, recursiveAttributes } = sortMountOptions(mount.options ?? []);
      return ((attributes.set | recursiveAttributes.set) & MOUNT_ATTR.RDONLY) === 0n;
    })
    .map((mount) => parseMountTarget(mount.destination));
  return [...new Set([...covered, ...mounted])];
}
