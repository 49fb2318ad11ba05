/**
 * `linux.resources` of the OCI runtime Spec 1.2 (config-linux.md, "Control groups"), limits only in the units written there. A limit of
 * −1 means "unlimited" wherever the Spec allows it; an absent one is not touched.
 */

export interface LinuxResources {
  readonly memory?: LinuxMemory;
  readonly cpu?: LinuxCpu;
  readonly pids?: { readonly limit?: number };
  readonly blockIO?: LinuxBlockIo;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly devices?: readonly LinuxDeviceRule[];
  readonly network?: {
    readonly classID?: number;
    readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
  };
  /** Device name to limits. */
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>;
  /** cgroup v2 file names to their contents, written verbatim. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Bytes. */
export interface LinuxMemory {
  readonly limit?: number;
  /** Soft limit. */
  readonly reservation?: number;
  /** Memory plus swap. */
  readonly swap?: number;
  /** Deprecated in the Spec and without effect since Linux 5.4. */
  readonly kernel?: number;
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  /** Refuse to lower the limit below the present usage. */
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds. */
export interface LinuxCpu {
  /** 2 to 262144; cgroup v1's scale, on which 1024 is the default. */
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  /** 1: SCHED_IDLE for the whole cgroup. */
  readonly idle?: number;
}

export interface LinuxBlockIo {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly (BlockDevice & { readonly weight?: number; readonly leafWeight?: number })[];
  readonly throttleReadBpsDevice?: readonly ThrottledDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottledDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottledDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottledDevice[];
}

export interface BlockDevice {
  readonly major: number;
  readonly minor: number;
}

/** `rate` in bytes or operations a second; 0 lifts the limit. */
export interface ThrottledDevice extends BlockDevice {
  readonly rate: number;
}

export interface LinuxDeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
}
