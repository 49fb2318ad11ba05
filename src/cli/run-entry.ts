/**
 * Entry point of the small bundle: `pycri run` in its common form. A line that is not in order, an image, a limit, a dry run or a
 * seccomp profile that was not compiled into the bundle go to the full bundle, which starts over.
 */

import { probeHost } from "../host/probe-host.ts";
import { type PreparedLaunch, prepareLaunch } from "../engine/prepare-launch.ts";
import { findShippedFilter } from "../engine/shipped-filters.ts";
import { makeContainerId } from "../store/container-id.ts";
import type { Invocation } from "./command.ts";
import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";
import { RUN_SYNTAX, type RunValues } from "./run-syntax.ts";
import { imageOperand } from "./image-operand.ts";
import { reporterCommand, requestOf, startContainer } from "./run-container.ts";
import { wantsCgroup } from "../engine/wants-cgroup.ts";

interface Entry {
  readonly start: (args: readonly string[]) => unknown;
}

/**
 * @param args the words after `pycri`, `run` first.
 * @param loadFull loads the full bundle.
 */
export function start(args: readonly string[], loadFull: () => Entry): void {
  try {
    const launch = prepare(args);
    if (launch === null) loadFull().start(args);
    else startContainer(launch);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

/** @returns null when the full bundle should have the line. */
export function prepare(args: readonly string[]): PreparedLaunch | null {
  const invocation = parseArguments(RUN_SYNTAX, args.slice(1)) as Invocation<RunValues> | null;
  if (invocation === null || invocation.values["dry-run"] === true) return null;
  if (imageOperand(invocation) !== null) return null;
  const request = requestOf(invocation);
  if (wantsCgroup(request)) return null;

  let everythingShipped = true;
  const launch = prepareLaunch(request, {
    id: makeContainerId(),
    facts: probeHost(process.env),
    filter: (source, capabilities, facts) => {
      const filter = findShippedFilter(source, capabilities, facts);
      if (filter === undefined) everythingShipped = false;
      return filter ?? null;
    },
    reporter: reporterCommand(),
    cgroup: null,
  });
  return everythingShipped ? launch : null;
}
