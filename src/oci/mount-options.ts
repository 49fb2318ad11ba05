/**
 * The mount options of the OCI runtime Spec (config.md, "Linux mount options"), sorted into what mount_setattr(2) sets
 * and clears, the propagation of mount(2), and the rest, which is data for the file system.
 */

export const MOUNT_ATTR = {
  RDONLY: 0x1n,
  NOSUID: 0x2n,
  NODEV: 0x4n,
  NOEXEC: 0x8n,
  /** The three access-time modes share a field: clear ATIME before setting one (RELATIME is 0). */
  ATIME: 0x70n,
  NOATIME: 0x10n,
  STRICTATIME: 0x20n,
  NODIRATIME: 0x80n,
  NOSYMFOLLOW: 0x20_0000n,
} as const;

/** Propagation types of mount(2). MS_REC stands for the r… variants. */
export const MS = {
  REC: 0x4000n,
  UNBINDABLE: 0x2_0000n,
  PRIVATE: 0x4_0000n,
  SLAVE: 0x8_0000n,
  SHARED: 0x10_0000n,
} as const;

/** MOUNT_ATTR_* to set and to clear on one mount. */
export interface MountAttributes {
  readonly set: bigint;
  readonly clear: bigint;
}

export interface MountOptions {
  /** For the mount itself. */
  readonly attributes: MountAttributes;
  /** For it and every mount below (rro, rnosuid …). */
  readonly recursiveAttributes: MountAttributes;
  /** MS_PRIVATE and its kin, or 0 when none was named; with MS_REC for the r… form. */
  readonly propagation: bigint;
  readonly bind: boolean;
  readonly recursiveBind: boolean;
  /** idmap or ridmap. */
  readonly idmap: "none" | "mount" | "tree";
  /** Options the kernel's superblock understands (dirsync, lazytime, sync …) and everything unknown. */
  readonly data: readonly string[];
}

const NONE: MountAttributes = { set: 0n, clear: 0n };

function flag(bit: bigint): MountAttributes {
  return { set: bit, clear: 0n };
}

function unset(bit: bigint): MountAttributes {
  return { set: 0n, clear: bit };
}

function accessTime(mode: bigint): MountAttributes {
  return { set: mode, clear: MOUNT_ATTR.ATIME };
}

const ATTRIBUTES: Readonly<Record<string, MountAttributes>> = {
  ro: flag(MOUNT_ATTR.RDONLY),
  rw: unset(MOUNT_ATTR.RDONLY),
  nosuid: flag(MOUNT_ATTR.NOSUID),
  suid: unset(MOUNT_ATTR.NOSUID),
  nodev: flag(MOUNT_ATTR.NODEV),
  dev: unset(MOUNT_ATTR.NODEV),
  noexec: flag(MOUNT_ATTR.NOEXEC),
  exec: unset(MOUNT_ATTR.NOEXEC),
  noatime: accessTime(MOUNT_ATTR.NOATIME),
  atime: accessTime(0n),
  relatime: accessTime(0n),
  norelatime: accessTime(0n),
  strictatime: accessTime(MOUNT_ATTR.STRICTATIME),
  nostrictatime: accessTime(0n),
  nodiratime: flag(MOUNT_ATTR.NODIRATIME),
  diratime: unset(MOUNT_ATTR.NODIRATIME),
  nosymfollow: flag(MOUNT_ATTR.NOSYMFOLLOW),
  symfollow: unset(MOUNT_ATTR.NOSYMFOLLOW),
};

const PROPAGATION: Readonly<Record<string, bigint>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** Options that say what the kernel does anyway. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "defaults",
  "async",
  "loud",
  "nolazytime",
  "nomand",
  "noiversion",
]);

/** Two settings in order: what the later one sets or clears wins. */
export function mergeAttributes(first: MountAttributes, second: MountAttributes): MountAttributes {
  return {
    set: (first.set & ~second.clear & ~second.set) | second.set,
    clear: (first.clear & ~second.set) | second.clear,
  };
}

/** Sort mount options; of contradicting ones the last wins, as for mount(8). */
export function sortMountOptions(options: readonly string[]): MountOptions {
  let attributes = NONE;
  let recursiveAttributes = NONE;
  let propagation = 0n;
  let bind = false;
  let recursiveBind = false;
  let idmap: MountOptions["idmap"] = "none";
  const data: string[] = [];
  for (const option of options) {
    const single = lookup(ATTRIBUTES, option);
    const recursive = option.startsWith("r") ? lookup(ATTRIBUTES, option.slice(1)) : undefined;
    const kind = lookup(PROPAGATION, option);
    if (single !== undefined) attributes = mergeAttributes(attributes, single);
    else if (recursive !== undefined) recursiveAttributes = mergeAttributes(recursiveAttributes, recursive);
    else if (kind !== undefined) propagation = kind;
    else if (option === "bind") bind = true;
    else if (option === "rbind") bind = recursiveBind = true;
    else if (option === "idmap") idmap = "mount";
    else if (option === "ridmap") idmap = "tree";
    else if (!WITHOUT_EFFECT.has(option)) data.push(option);
  }
  return { attributes, recursiveAttributes, propagation, bind, recursiveBind, idmap, data };
}

/** True for an option that every mount understands, whatever its file system. */
export function isMountAttribute(option: string): boolean {
  return (
    lookup(ATTRIBUTES, option) !== undefined ||
    lookup(PROPAGATION, option) !== undefined ||
    (option.startsWith("r") && lookup(ATTRIBUTES, option.slice(1)) !== undefined)
  );
}

function lookup<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
