/**
 * execve(2) from Node: the native helper takes the place of this process. The kernel ends the other threads, descriptors
 * of Node's own are close-on-exec, and Node's exit handlers do not run.
 */

import { declare, errnoName } from "./native-library.ts";
import { RuntimeError } from "../errors.ts";

const execve = declare("execve", ["str", "const char **", "const char **"]);

/**
 * Replace this process; returns only by throwing.
 * @param path of the program.
 * @param args argv, the program's name included.
 * @param environment `NAME=value` strings.
 */
export function replaceProcess(path: string, args: readonly string[], environment: readonly string[]): never {
  const result = execve(path, [...args, null], [...environment, null]);
  throw new RuntimeError("LAUNCH_FAILED", `Cannot execute the native helper "${path}": ${errnoName(-result)}`, {
    hint: "pycri's installation is damaged; reinstall it",
    details: { path, errno: -result },
  });
}
