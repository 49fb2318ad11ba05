/**
 * From the options of a run to its launch, whatever they name: images are pulled and unpacked, limits get a cgroup, filters
 * come from the bundle where they were compiled with it. What a plain run does not need is not loaded for it.
 */

import { closeSync } from "node:fs";
import type { ImageSettings } from "../host/image-settings.ts";
import { probeHost } from "../host/probe-host.ts";
import { cacheDirectoryPath } from "../host/runtime-directory.ts";
import { buildCapabilities } from "../plan/capabilities.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { RunRequest } from "../plan/run-request.ts";
import { makeContainerId } from "../store/container-id.ts";
import { type ContainerConfig, oomRecordPath } from "../store/container-record.ts";
import type { OpenedImage, PullProgress } from "./images/open-run-image.ts";
import type { ContainerCgroup } from "./prepare-cgroup.ts";
import { type FilterProvider, type PreparedLaunch, prepareLaunch } from "./prepare-launch.ts";
import type { HostEnvironment } from "./request/environment.ts";
import { namesImage } from "./request/names-image.ts";
import { type CallerContext, type RunOptions, buildRunRequest } from "./request/run-options.ts";
import { findShippedFilter } from "./shipped-filters.ts";
import { wantsCgroup } from "./wants-cgroup.ts";

/** When a registry is asked for an image, and for which machine. */
export interface ImageChoice {
  /** `missing` when absent. */
  readonly pull?: "always" | "missing" | "never" | "newer";
  /** `OS/ARCH[/VARIANT]`; this machine's when absent. */
  readonly platform?: string;
  /** Check registries' certificates; true but for loopback. */
  readonly tlsVerify?: boolean;
  /** `NAME=NUMBER`: bounds of what a layer may unpack to. */
  readonly unpackLimits?: readonly string[];
}

export interface PreparationContext {
  readonly environment: HostEnvironment;
  readonly caller: CallerContext;
  /** Where images are; asked when there is one. */
  readonly imageSettings: (home: string | null) => ImageSettings;
  /** Change nothing on the host: the Spec is wanted, no container. */
  readonly dryRun: boolean;
  readonly endsWithCaller: boolean;
  /** The whole Spec, with the profile that the filter was compiled of. */
  readonly wholeSpec: boolean;
  /** `LaunchPlan.reporter`; absent: nobody is told but by events. */
  readonly reporter?: readonly string[];
  /** Told what is pulled; absent: nobody is. */
  readonly pullProgress?: PullProgress;
}

export interface PreparedContainer extends PreparedLaunch {
  readonly request: RunRequest;
  /** Deletes what was made to keep the container's writes, when it could not be started. */
  readonly discard: () => Promise<void>;
}

/** @throws RuntimeError for everything options can be wrong in. What is held is the caller's to close, see `release`. */
export async function prepareContainer(
  options: RunOptions,
  choice: ImageChoice,
  context: PreparationContext,
): Promise<PreparedContainer> {
  const facts = probeHost(context.environment);
  const id = makeContainerId();
  const image = namesImage(options.rootfs, context.caller.isDirectory)
    ? await openImage(options, choice, facts, context, id)
    : null;
  try {
    const request = buildRunRequest(image === null ? options : image.options, context.caller);
    const cgroup = wantsCgroup(request) ? await openCgroup(request, facts, id, context) : null;
    const launch = prepareLaunch(request, {
      id,
      facts,
      filter: await filterProvider(request, facts, context),
      reporter: context.reporter ?? [],
      cgroup,
      endsWithCaller: context.endsWithCaller,
    });
    const kept = image === null || context.dryRun ? null : await image.begin();
    return {
      ...launch,
      request,
      discard: async () => {
        if (kept !== null) await discardKeptLayer(launch.config, facts, context);
      },
      warnings: [...(cgroup?.warnings ?? []), ...launch.warnings],
      held: [...launch.held, ...(image === null ? [] : [image.held]), ...(kept === null ? [] : [kept])],
    };
  } catch (error) {
    if (image !== null) closeSync(image.held);
    throw error;
  }
}

/** Close what a launch holds: the monitor has its own copies by then, or there is none. */
export function release({ held }: PreparedLaunch): void {
  for (const descriptor of held) closeSync(descriptor);
}

async function openImage(
  options: RunOptions,
  choice: ImageChoice,
  facts: HostFacts,
  context: PreparationContext,
  id: string,
): Promise<OpenedImage> {
  const { openRunImage } = await import("./images/open-run-image.ts");
  return openRunImage(options, choice, facts, context.imageSettings(facts.home), id, context.pullProgress);
}

async function discardKeptLayer(config: ContainerConfig, facts: HostFacts, context: PreparationContext): Promise<void> {
  const [{ openImages }, { discardContainerLayer }] = await Promise.all([
    import("./images/image-context.ts"),
    import("./images/run-image.ts"),
  ]);
  await discardContainerLayer(await openImages(facts, context.imageSettings(facts.home)), config);
}

/** The managers, and D-Bus with them, are loaded for containers that have limits. */
async function openCgroup(
  request: RunRequest,
  facts: HostFacts,
  id: string,
  { environment, dryRun, endsWithCaller }: PreparationContext,
): Promise<ContainerCgroup> {
  const { prepareCgroup } = await import("./prepare-cgroup.ts");
  return prepareCgroup(request, facts, {
    id,
    sessionBus: environment["DBUS_SESSION_BUS_ADDRESS"],
    oomRecordFile: oomRecordPath(facts.runtimeDirectory, id),
    dryRun,
    becomesMonitor: !endsWithCaller,
  });
}

/** The compiler is loaded for a filter that is not in the bundle, or when its profile is wanted, too. */
async function filterProvider(
  request: RunRequest,
  facts: HostFacts,
  { environment, wholeSpec }: PreparationContext,
): Promise<FilterProvider> {
  const { bounding } = buildCapabilities(request.capabilitiesAdd, request.capabilitiesDrop, true, facts);
  const shipped = wholeSpec ? undefined : findShippedFilter(request.security.seccomp, bounding, facts);
  if (shipped !== undefined) return () => shipped;
  const { containerFilter } = await import("./seccomp-program.ts");
  const cache = cacheDirectoryPath(environment, facts.home);
  return (source, capabilities) =>
    containerFilter(source, capabilities, facts, cache === null ? null : `${cache}/filters`);
}
