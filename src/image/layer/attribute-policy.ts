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
  if (OPAQUE.test(name)) return value === "y" ? "opaque" : "note";
  if (RESERVED.test(name)) return "note";
  if (LABELS.test(name)) return "ignore";
  // The kernel stores capabilities with the namespace's root beside them (capabilities(7), version 3).
  if (name === "security.capability" || name.startsWith("user.")) return "set";
  // ACLs name ids, which the kernel maps by the namespace of the process that sets them.
  return name.startsWith("system.posix_acl_") ? "set" : "note";
}
