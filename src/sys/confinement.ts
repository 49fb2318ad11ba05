/** chroot(2), for a thread that is about to handle files of an untrusted archive. */

import { closeSync, constants, openSync } from "node:fs";
import { check, declare } from "./native-library.ts";

const unshare = declare("unshare", ["int"]);
const chroot = declare("chroot", ["str"]);
const chdir = declare("chdir", ["str"]);
const fchdir = declare("fchdir", ["int"]);

const CLONE_FS = 0x200;
/** fcntl.h; Node does not name it. */
const O_PATH = 0o10000000;

/**
 * Make `directory` the root of every path of the calling thread, and its working directory, until the result is disposed of.
 * Other threads keep theirs: threads share both until unshare(2) CLONE_FS. Synchronous calls are the thread's own;
 * asynchronous ones run in Node's threads, unconfined, and must not take paths meanwhile.
 */
export function confineTo(directory: string): Disposable {
  check(unshare(CLONE_FS), "unshare(2) of the root directory");
  const outside = openSync("/", O_PATH | constants.O_DIRECTORY);
  check(chroot(directory), `chroot(2) to "${directory}"`);
  check(chdir("/"), "chdir(2) to the new root");
  return {
    [Symbol.dispose]: () => {
      check(fchdir(outside), "fchdir(2) to the old root");
      check(chroot("."), "chroot(2) to the old root");
      closeSync(outside);
    },
  };
}
