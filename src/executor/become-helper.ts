/**
 * The command line's way to run a plan: this process becomes the helper. No Node process waits while the container runs,
 * and the caller's terminal, process group and parent stay what they are.
 *
 * Descriptors: the plan and the events file are memory files that survive execve(2), as do those that the monitor is to
 * hold (locks); everything else of Node's is close-on-exec.
 */

import { createMemoryFile, createSealedFile, setInherited } from "../sys/memory-file.ts";
import { replaceProcess } from "../sys/replace-process.ts";
import { helperPath } from "./installation.ts";

/**
 * @param plan encoded by `encodePlan`.
 * @param environment `NAME=value` strings of the helper itself; the command's are in the plan.
 * @param held descriptors to keep open until the monitor ends.
 */
export function becomeHelper(plan: Uint8Array, environment: readonly string[], held: readonly number[]): never {
  const planFile = createSealedFile("pycri-plan", plan, true);
  const eventsFile = createMemoryFile("pycri-events", true);
  // Node marks every descriptor it was started with close-on-exec, standard ones too (uv_disable_stdio_inheritance).
  for (const descriptor of [0, 1, 2, ...held]) setInherited(descriptor, true);
  const path = helperPath();
  replaceProcess(path, ["pycri", String(planFile), String(eventsFile), ...held.map(String)], environment);
}
