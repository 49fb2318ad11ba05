/**
 * What a failed launch leaves on the host besides what its clean-up list removes: the files that `--cidfile` and
 * `--pidfile` asked for, which stay after a run that succeeded.
 */

import type { LaunchPlan, OperationFailure } from "./launch-plan.ts";

/** Host files to remove after this failure: written before it, and in no part of the clean-up list. */
export function filesToUndo(plan: LaunchPlan, failure: OperationFailure): readonly string[] {
  const { monitor, cleanup } = plan;
  const reached =
    failure.section === "monitor" ? failure.index : monitor.findIndex((operation) => operation.op === "release");
  const written = monitor
    .slice(0, Math.max(reached, 0))
    .flatMap((operation) =>
      operation.op === "writeHostFile" || (operation.op === "writeChildPid" && operation.style === NEW_FILE)
        ? [operation.path]
        : [],
    );
  return written.filter(
    (path) =>
      !cleanup.some(
        (operation) =>
          (operation.op === "removeHostFile" && operation.path === path) ||
          (operation.op === "removeHostTree" && path.startsWith(`${operation.path}/`)),
      ),
  );
}

/** `writeChildPid.style` of a file that did not exist before. */
const NEW_FILE = 1;
