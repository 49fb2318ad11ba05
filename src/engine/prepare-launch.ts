/**
 * From a request to the plan of a launch and what the launch needs around it: the container's id, its record, its filter,
 * the ids it holds. Nothing is started and nothing is changed.
 */

import { closeSync } from "node:fs";
import { missingDirectories } from "../host/missing-directories.ts";
import { readRootFacts } from "../host/root-facts.ts";
import { type BuiltSpec, buildSpec } from "../plan/build-spec.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { AllocatedRanges } from "../plan/id-mappings.ts";
import type { LaunchPlan } from "../plan/launch-plan.ts";
import { planLaunch } from "../plan/plan-launch.ts";
import type { SeccompProgram } from "../plan/process.ts";
import type { RootSource, RunRequest, SeccompSource } from "../plan/run-request.ts";
import type { LinuxResources } from "../oci/linux-resources.ts";
import type { LinuxSeccomp, Spec } from "../oci/spec.ts";
import { type ContainerConfig, type ContainerFiles, planRecord } from "../store/container-record.ts";
import { requireFreeName } from "../store/container-store.ts";
import type { CgroupPlan, CgroupRecord } from "../plan/cgroup-plan.ts";
import { IdAllocations } from "./id-allocations.ts";

/** A profile as the kernel and as the Spec have it. */
export interface ContainerFilter {
  readonly program: SeccompProgram;
  /** Null where only the program is known. */
  readonly document: LinuxSeccomp | null;
}

/**
 * Gives the compiled filter of a profile for a container with these capabilities (names with `CAP_`), null for
 * `unconfined`.
 */
export type FilterProvider = (
  source: SeccompSource,
  capabilities: readonly string[],
  facts: HostFacts,
) => ContainerFilter | null;

export interface PreparedLaunch {
  readonly spec: Spec;
  readonly plan: LaunchPlan;
  readonly config: ContainerConfig;
  /** To be said once, before the launch. */
  readonly warnings: readonly string[];
  /** Descriptors that the monitor keeps open until it ends. */
  readonly held: readonly number[];
}

export interface LaunchContext {
  /** The container's id, from `makeContainerId`. */
  readonly id: string;
  readonly facts: HostFacts;
  readonly filter: FilterProvider;
  /** `LaunchPlan.reporter`. */
  readonly reporter: readonly string[];
  /** Null: the container stays in the caller's cgroup. */
  readonly cgroup: {
    readonly plan: CgroupPlan;
    readonly record: CgroupRecord | null;
    readonly resources: LinuxResources;
  } | null;
  /** `LaunchSurroundings.endsWithCaller`. */
  readonly endsWithCaller?: boolean;
}

const NOTHING_ALLOCATED: AllocatedRanges = { uid: [], gid: [] };

/** @throws RuntimeError for everything a request can be wrong in. */
export function prepareLaunch(request: RunRequest, context: LaunchContext): PreparedLaunch {
  const auto = request.userNamespace.kind === "auto" ? new IdAllocations(context.facts) : null;
  try {
    return prepareHolding(request, context, auto);
  } catch (error) {
    for (const descriptor of auto?.descriptors ?? []) closeSync(descriptor);
    throw error;
  }
}

function prepareHolding(request: RunRequest, context: LaunchContext, auto: IdAllocations | null): PreparedLaunch {
  const { id, facts, cgroup } = context;
  if (request.name !== undefined) requireFreeName(facts.runtimeDirectory, request.name);
  const rootFacts = readRootFacts(request.root);
  const build = (allocatedRanges: AllocatedRanges): BuiltSpec =>
    buildSpec(request, facts, rootFacts, {
      id,
      seccomp: null,
      allocatedRanges,
      ...(cgroup === null ? {} : { resources: cgroup.resources }),
    });
  const built = auto === null ? build(NOTHING_ALLOCATED) : buildHolding(auto, build);
  const { options, warnings } = built;
  const filter = context.filter(request.security.seccomp, built.spec.process?.capabilities?.bounding ?? [], facts);
  const spec: Spec =
    filter?.document == null ? built.spec : { ...built.spec, linux: { ...built.spec.linux, seccomp: filter.document } };

  const config: ContainerConfig = {
    id,
    name: request.name ?? null,
    created: new Date().toISOString(),
    command: request.command,
    rootfs: rootfsName(request.root),
    labels: request.labels,
    keep: !request.remove,
    cgroup: cgroup?.record ?? null,
    files: filesOf(request, spec),
    image: request.root.kind === "image" ? request.root.image : null,
  };
  const plan = planLaunch(spec, options, facts, filter?.program ?? null, {
    directories: missingSources(request),
    state: planRecord(facts.runtimeDirectory, config),
    cgroup: cgroup?.plan ?? null,
    reporter: context.reporter,
    endsWithCaller: context.endsWithCaller === true,
  });
  return { spec, plan, config, warnings, held: auto?.descriptors ?? [] };
}

/** Directories that `-v` makes. */
function missingSources(request: RunRequest): readonly string[] {
  const missing = request.mounts.flatMap((mount) =>
    mount.kind === "bind" && mount.createSource ? missingDirectories(mount.source) : [],
  );
  return [...new Set(missing)];
}

function rootfsName(root: RootSource): string {
  if (root.kind === "host") return "host";
  return root.kind === "image" ? root.image.name : root.path;
}

function filesOf({ root, writes, directories }: RunRequest, spec: Spec): ContainerFiles | null {
  if (root.kind === "host") return null;
  return {
    path: root.path,
    layers: root.kind === "image" ? root.layers : null,
    layer: writes.kind === "upper" ? writes.path : null,
    through: writes.kind === "through",
    mountPoints: [...directories, ...(spec.mounts ?? []).map(({ destination }) => destination)],
    uidMappings: spec.linux?.uidMappings ?? [],
    gidMappings: spec.linux?.gidMappings ?? [],
  };
}

/** Another pycri may be faster between looking and locking; then its range shows up at the next look. */
function buildHolding(allocations: IdAllocations, build: (allocated: AllocatedRanges) => BuiltSpec): BuiltSpec {
  for (;;) {
    const built = build(allocations.read());
    if (allocations.hold(built.spec.linux)) return built;
  }
}
