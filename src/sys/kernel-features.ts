/** Questions to the kernel that no file answers. */

import { declare } from "./native-library.ts";

const syscall3 = declare("syscall", ["long", "void *", "ulong", "uint"], "long");
const getxattr = declare("getxattr", ["str", "str", "uint8_t *", "size_t"], "long");

const SYS_landlock_create_ruleset = 444;
const LANDLOCK_CREATE_RULESET_VERSION = 1;

/** The Landlock ABI of the kernel, 0 without Landlock (landlock_create_ruleset(2)). */
export function probeLandlockAbi(): number {
  return Math.max(0, syscall3(SYS_landlock_create_ruleset, null, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

/** Whether a program carries file capabilities that take effect (capabilities(7), security.capability). */
export function hasFileCapabilities(path: string): boolean {
  return getxattr(path, "security.capability", new Uint8Array(64), 64) > 0;
}
