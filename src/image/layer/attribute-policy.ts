/**
 * What becomes of an archived extended attribute. An image must not speak to overlayfs or fuse-overlayfs in their own
 * attributes (redirects and metadata-only copies reach into other layers), and cannot set what only the host's root may.
 * Pure.
 */

export type AttributeFate =
  | "set"
  /** The directory hides what lower layers have in it. */
  | "opaque"
  /** Dropped, and worth a note. */
  | "note"
  /** Dropped: labels of another machine. */
  | "ignore";

const OPAQUE = /^(?:trusted|user)\.overlay\.opaque$/;
const RESERVED = /^(?:trusted\.overlay|user\.overlay|user\.fuseoverlayfs|user\.containers)\./;
const LABELS = /^security\.(?:selinux|SMACK64\w*|apparmor|ima|evm)$/;

/** @param value byte string. */
export function attributeFate(name: string, value: string): AttributeFate {
  // The kernel reads to the first NUL, and so would see another name than the rules below.
  if (name.includes("\0")) return "note";
  if (OPAQUE.test(name)) return value === "y" ? "opaque" : "note";
  if (RESERVED.test(name)) return "note";
  if (LABELS.test(name)) return "ignore";
  if (name === "security.capability" || name.startsWith("user.")) return "set";
  // ACLs name ids, which the kernel maps by the namespace of the process that sets them.
  return name.startsWith("system.posix_acl_") ? "set" : "note";
}

/** struct vfs_cap_data and vfs_ns_cap_data (linux/capability.h): revision and flags, four sets, in version 3 the root id. */
const CAPABILITY_V2_BYTES = 20;
const CAPABILITY_V3_BYTES = 24;
const REVISION_BYTE = 3;

/**
 * File capabilities as a layer can have them. In a user namespace the kernel keeps version 2 as version 3 with the
 * namespace's own root (capabilities(7), "Namespaced file capabilities"); an archived version 3 names the root of the
 * namespace that the image was built in, which means nothing here and may not even be mapped.
 * @param value byte string, and the result likewise.
 */
export function portableCapability(value: string): string {
  if (value.length !== CAPABILITY_V3_BYTES || value.charCodeAt(REVISION_BYTE) !== 3) return value;
  return `${value.slice(0, REVISION_BYTE)}\x02${value.slice(REVISION_BYTE + 1, CAPABILITY_V2_BYTES)}`;
}
