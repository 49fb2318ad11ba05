/**
 * Absolute paths inside the container, as text: the helper resolves them against the root filesystem's own symlinks.
 */

import { RuntimeError } from "../errors.ts";

/**
 * The plain form of a mount target: one slash between components, none at the end. "/" and "..", which could name the
 * root itself, are refused; a relative path counts from "/", as the Spec wants.
 */
export function parseMountTarget(target: string): string {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot mount over "${target}": it is the container's root`, {
      hint: "The root filesystem is the ROOTFS argument.",
    });
  }
  if (parts.includes("..") || target.includes("\0")) {
    throw new RuntimeError("INVALID_ARGUMENT", `Invalid mount target "${target}": it must not contain ".."`);
  }
  return `/${parts.join("/")}`;
}

/** Number of components. */
export function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}

/** True when `path` is `directory` or lies below it. Both in plain form. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
