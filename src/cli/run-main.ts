/** The code behind `pycri run` in the full bundle: any profile, any limit, and `--dry-run`. */

import type { ContainerCgroup } from "../engine/prepare-cgroup.ts";
import { prepareLaunch } from "../engine/prepare-launch.ts";
import { containerFilter } from "../engine/seccomp-program.ts";
import { probeHost } from "../host/probe-host.ts";
import { cacheDirectoryPath } from "../host/runtime-directory.ts";
import { makeContainerId } from "../store/container-id.ts";
import { oomRecordPath } from "../store/container-record.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { RunRequest } from "../plan/run-request.ts";
import type { Invocation } from "./command.ts";
import { imageOperand } from "./image-operand.ts";
import type { RunImage } from "./images/run-image.ts";
import { formatPlan } from "./format-plan.ts";
import { writeJson, writeOutput, writeWarning } from "./output.ts";
import type { RunValues } from "./run-syntax.ts";
import { wantsCgroup } from "../engine/wants-cgroup.ts";
import { reporterCommand, requestOf, startContainer } from "./run-container.ts";

export async function execute(invocation: Invocation<RunValues>): Promise<number> {
  const { values } = invocation;
  const dryRun = values["dry-run"] === true;
  const wanted = imageOperand(invocation);
  const id = makeContainerId();
  const image = wanted === null ? null : await prepareRunImage(wanted, values, id);
  const request = requestOf(invocation, image?.apply);
  const facts = probeHost(process.env);
  const cgroup = wantsCgroup(request) ? await openCgroup(request, facts, id, dryRun) : null;
  for (const warning of cgroup?.warnings ?? []) writeWarning(warning);
  const cache = cacheDirectoryPath(process.env, facts.home);
  const launch = prepareLaunch(request, {
    id,
    facts,
    filter: (source, capabilities) =>
      containerFilter(source, capabilities, facts, cache === null ? null : `${cache}/filters`),
    reporter: reporterCommand(),
    cgroup,
  });
  if (!dryRun) {
    const held = (await image?.begin()) ?? [];
    startContainer({ ...launch, held: [...launch.held, ...held] });
  }
  for (const warning of launch.warnings) writeWarning(warning);
  if (values.format === "json") writeJson(launch.plan);
  else writeOutput(formatPlan(launch.plan));
  return 0;
}

/** What images need, registries above all, is loaded for images. */
async function prepareRunImage(name: string, values: RunValues, id: string): Promise<RunImage> {
  const { openRunImage } = await import("./images/run-image.ts");
  return openRunImage(name, values, id);
}

/** The managers, and D-Bus with them, are loaded for containers that have limits. */
async function openCgroup(
  request: RunRequest,
  facts: HostFacts,
  id: string,
  dryRun: boolean,
): Promise<ContainerCgroup> {
  const { prepareCgroup } = await import("../engine/prepare-cgroup.ts");
  return prepareCgroup(request, facts, {
    id,
    sessionBus: process.env["DBUS_SESSION_BUS_ADDRESS"],
    oomRecordFile: oomRecordPath(facts.runtimeDirectory, id),
    dryRun,
    becomesMonitor: true,
  });
}
