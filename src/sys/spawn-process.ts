/**
 * posix_spawn(3) and waitpid(2), for a child whose descriptors are exactly the ones given. Node's own way takes one to two
 * milliseconds of the main thread for each child, this one a quarter of a millisecond, and a plain pipe can be opened again
 * by name (/dev/stdout), which Node's sockets cannot. The child belongs to no handle of Node's, which waits for its own
 * children only.
 */

import { closeDescriptor } from "./close-descriptor.ts";
import { check, declare, errnoName } from "./native-library.ts";

const posixSpawn = declare("posix_spawn", [
  "int32_t *",
  "str",
  "uint8_t *",
  "void *",
  "const char **",
  "const char **",
]);
const initActions = declare("posix_spawn_file_actions_init", ["uint8_t *"]);
const addDup2 = declare("posix_spawn_file_actions_adddup2", ["uint8_t *", "int", "int"]);
const destroyActions = declare("posix_spawn_file_actions_destroy", ["uint8_t *"]);
const waitpid = declare("waitpid", ["int", "int32_t *", "int"]);
const pipe2 = declare("pipe2", ["int32_t *", "int"]);
const fcntl = declare("fcntl", ["int", "int", "int"]);

/** More than sizeof(posix_spawn_file_actions_t) of any C library. */
const ACTIONS_BYTES = 256;
const O_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;

/** A pipe whose ends are close-on-exec; `closeDescriptor` closes them. */
export function openPipe(): { readonly reader: number; readonly writer: number } {
  const ends = new Int32Array(2);
  check(pipe2(ends, O_CLOEXEC), "pipe2(2)");
  const [reader = -1, writer = -1] = ends;
  return { reader, writer };
}

/**
 * Start a program.
 * @param args argv, the program's name included.
 * @param environment `NAME=value` strings.
 * @param descriptors of this process that become 0, 1, 2 … of the child; it has no others.
 * @returns the PID, or the errno's name when the program cannot be started.
 */
export function spawnProcess(
  path: string,
  args: readonly string[],
  environment: readonly string[],
  descriptors: readonly number[],
): number | string {
  const copies: number[] = [];
  const actions = new Uint8Array(ACTIONS_BYTES);
  checkResult(initActions(actions), "posix_spawn_file_actions_init(3)");
  try {
    for (const [target, descriptor] of descriptors.entries()) {
      let source = descriptor;
      // One that stands in the way of a later copy is moved out of it first.
      if (source !== target && source < descriptors.length) {
        source = check(fcntl(source, F_DUPFD_CLOEXEC, descriptors.length), "fcntl(F_DUPFD_CLOEXEC)");
        copies.push(source);
      }
      checkResult(addDup2(actions, source, target), "posix_spawn_file_actions_adddup2(3)");
    }
    const pid = new Int32Array(1);
    const errno = posixSpawn(pid, path, actions, null, [...args, null], [...environment, null]);
    return errno === 0 ? (pid[0] ?? -1) : errnoName(errno);
  } finally {
    destroyActions(actions);
    copies.forEach(closeDescriptor);
  }
}

/** These functions give the errno itself. */
function checkResult(errno: number, call: string): void {
  check(-errno, call);
}

export interface ProcessEnd {
  readonly exitCode: number | null;
  /** Number of the signal that ended it. */
  readonly signal: number | null;
}

/** Wait for a child of `spawnProcess` to end, and let the kernel forget it. Blocks for as long as it runs. */
export function awaitProcess(pid: number): ProcessEnd {
  const status = new Int32Array(1);
  check(waitpid(pid, status, 0), "waitpid(2)");
  const [value = 0] = status;
  const signal = value & 0x7f;
  return signal === 0 ? { exitCode: (value >> 8) & 0xff, signal: null } : { exitCode: null, signal };
}
