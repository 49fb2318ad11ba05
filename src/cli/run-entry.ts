/**
 * Entry point of the small bundle: `pycri run` in its common form. A line that is not in order, an image, a dry run, a cgroup
 * that systemd makes or a seccomp profile that was not compiled into the bundle go to the full bundle, which starts over.
 */

import { probeHost } from "../host/probe-host.ts";
import { chooseManager, type ContainerCgroup, prepareCgroup } from "../engine/prepare-cgroup.ts";
import { type PreparedLaunch, prepareLaunch } from "../engine/prepare-launch.ts";
import { findShippedFilter } from "../engine/shipped-filters.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { RunRequest } from "../plan/run-request.ts";
import { makeContainerId } from "../store/container-id.ts";
import { oomRecordPath } from "../store/container-record.ts";
import type { Invocation } from "./command.ts";
import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";
import { RUN_SYNTAX, type RunValues } from "./run-syntax.ts";
import { imageOperand } from "./image-operand.ts";
import { rehearseStart, reporterCommand, requestOf, startContainer } from "./run-container.ts";
import { wantsCgroup } from "../engine/wants-cgroup.ts";

interface Entry {
  readonly start: (args: readonly string[]) => unknown;
}

/**
 * @param args the words after `pycri`, `run` first.
 * @param loadFull loads the full bundle.
 */
export function start(args: readonly string[], loadFull: () => Entry): void {
  prepare(args)
    .then((launch) => (launch === null ? loadFull().start(args) : startContainer(launch)))
    .catch((error: unknown) => {
      process.exitCode = reportError(error);
    });
}

/** Called by the build: do what a start does, but for the start itself. */
export async function rehearse(args: readonly string[]): Promise<void> {
  const launch = await prepare(args);
  if (launch !== null) rehearseStart(launch);
}

/** @returns null when the full bundle should have the line. */
export async function prepare(args: readonly string[]): Promise<PreparedLaunch | null> {
  const invocation = parseArguments(RUN_SYNTAX, args.slice(1)) as Invocation<RunValues> | null;
  if (invocation === null || invocation.values["dry-run"] === true) return null;
  if (imageOperand(invocation) !== null) return null;
  const request = requestOf(invocation);
  const id = makeContainerId();
  const facts = probeHost(process.env);
  const cgroup = wantsCgroup(request) ? await openCgroup(request, facts, id) : null;
  if (cgroup === undefined) return null;

  let everythingShipped = true;
  const launch = prepareLaunch(request, {
    id,
    facts,
    filter: (source, capabilities, facts) => {
      const filter = findShippedFilter(source, capabilities, facts);
      if (filter === undefined) everythingShipped = false;
      return filter ?? null;
    },
    reporter: reporterCommand(),
    cgroup,
  });
  return everythingShipped ? { ...launch, warnings: [...(cgroup?.warnings ?? []), ...launch.warnings] } : null;
}

/** @returns undefined when systemd is to make it: D-Bus is in the full bundle. */
async function openCgroup(request: RunRequest, facts: HostFacts, id: string): Promise<ContainerCgroup | undefined> {
  const container = {
    id,
    sessionBus: process.env["DBUS_SESSION_BUS_ADDRESS"],
    oomRecordFile: oomRecordPath(facts.runtimeDirectory, id),
    dryRun: false,
    becomesMonitor: true,
  };
  const manager = chooseManager(request, facts, container);
  return manager.name === "systemd" ? undefined : prepareCgroup(request, facts, container, manager);
}
