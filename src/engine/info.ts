/** The host, this installation and what it would use, for `pycri info` and the library. */

import { openManager } from "../cgroup/open-manager.ts";
import { distributionDirectory, helperPath } from "../executor/installation.ts";
import { type HostSurvey, surveyHost } from "../host/host-survey.ts";
import { probeHost } from "../host/probe-host.ts";
import { cacheDirectoryPath, type Environment } from "../host/runtime-directory.ts";
import { capabilityNames } from "../oci/capability-numbers.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { BUILD, VERSION } from "../version.ts";

/** The cgroup manager that a container with limits would get. */
export interface CgroupSituation {
  readonly manager: "systemd" | "cgroupfs" | "v1" | "disabled";
  /** Controllers that a container's cgroup would have, sorted. */
  readonly controllers: readonly string[];
  /** Why there is no manager, and what mends that; null when there is one. */
  readonly lack: { readonly reason: string; readonly remedy: string | null } | null;
}

export interface Info {
  readonly pycri: { readonly version: string; readonly build: string | null };
  readonly node: { readonly version: string; readonly program: string };
  readonly kernel: { readonly release: string; readonly architecture: string };
  readonly caller: {
    readonly user: string | null;
    readonly uid: number;
    readonly gid: number;
    /** No capability of the kernel's own, as far as this process sees. */
    readonly rootless: boolean;
    readonly capabilities: readonly string[];
    readonly noNewPrivileges: boolean;
  };
  readonly ids: Pick<HostFacts, "subuid" | "subgid" | "newuidmap" | "newgidmap">;
  readonly namespaces: readonly string[];
  readonly sysctls: HostSurvey["sysctls"];
  readonly security: {
    readonly lsms: readonly string[] | null;
    readonly apparmor: { readonly enabled: boolean; readonly profile: string | null };
    readonly selinuxEnforcing: boolean | null;
    /** 0 without Landlock. */
    readonly landlockAbi: number;
    readonly seccompActions: readonly string[];
  };
  readonly storage: { readonly overlay: boolean; readonly fuseOverlayfs: string | null };
  readonly cgroup: CgroupSituation & Pick<HostFacts["cgroup"], "layout" | "v1" | "v2">;
  readonly devices: HostSurvey["devices"];
  readonly programs: HostSurvey["programs"];
  readonly systemd: { readonly running: boolean; readonly lingering: boolean | null };
  readonly paths: {
    readonly installation: string;
    readonly helper: string;
    readonly runtimeDirectory: string;
    readonly cacheDirectory: string | null;
    readonly dataDirectory: string | null;
  };
}

/** @throws RuntimeError IO when there is no place for the runtime directory. */
export function collectInfo(environment: Environment): Info {
  const facts = probeHost(environment);
  const survey = surveyHost(environment, facts);
  const data = environment["XDG_DATA_HOME"];
  const dataHome = data?.startsWith("/") === true ? data : facts.home === null ? null : `${facts.home}/.local/share`;
  return {
    pycri: { version: VERSION, build: BUILD },
    node: { version: process.versions.node, program: process.execPath },
    kernel: { release: facts.kernel.release, architecture: facts.architecture },
    caller: {
      user: facts.userName,
      uid: facts.uid,
      gid: facts.gid,
      rootless: facts.uid !== 0,
      capabilities: capabilityNames(facts.capabilities),
      noNewPrivileges: survey.noNewPrivileges,
    },
    ids: { subuid: facts.subuid, subgid: facts.subgid, newuidmap: facts.newuidmap, newgidmap: facts.newgidmap },
    namespaces: survey.namespaces,
    sysctls: survey.sysctls,
    security: {
      lsms: survey.lsms,
      apparmor: { enabled: facts.apparmor.enabled, profile: survey.apparmorProfile },
      selinuxEnforcing: survey.selinuxEnforcing,
      landlockAbi: facts.landlockAbi,
      seccompActions: survey.seccompActions,
    },
    storage: { overlay: facts.fileSystems.includes("overlay"), fuseOverlayfs: facts.fuseOverlayfs },
    cgroup: { ...situateCgroup(facts, environment["DBUS_SESSION_BUS_ADDRESS"]), ...facts.cgroup },
    devices: survey.devices,
    programs: survey.programs,
    systemd: { running: survey.systemd, lingering: survey.lingering },
    paths: {
      installation: distributionDirectory(),
      helper: helperPath(),
      runtimeDirectory: facts.runtimeDirectory,
      cacheDirectory: cacheDirectoryPath(environment, facts.home),
      dataDirectory: dataHome === null ? null : `${dataHome}/pycri`,
    },
  };
}

/** Opening a manager changes nothing. */
export function situateCgroup(facts: HostFacts, sessionBus: string | undefined): CgroupSituation {
  const manager = openManager(facts, {
    becomesMonitor: true,
    ...(sessionBus === undefined ? {} : { sessionBus }),
  });
  return {
    manager: manager.name,
    controllers: [...manager.cgroup.controllers].toSorted(),
    lack: manager.lack ?? null,
  };
}
