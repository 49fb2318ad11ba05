/** chroot(2), for a helper process that is about to handle files of an untrusted archive. */

import { check, declare } from "./native-library.ts";

const chroot = declare("chroot", ["str"]);

/** Make `directory` the root of every path of this process, all threads included, and the working directory. */
export function confineTo(directory: string): void {
  check(chroot(directory), `chroot(2) to "${directory}"`);
  process.chdir("/");
}
