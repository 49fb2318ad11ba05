/**
 * A host and requests made up for planning tests: an ordinary user "anna" (1000:1000) with 65,536 subordinate ids on a
 * cgroup v2 machine, and what `pycri run /rootfs /bin/sh` asks for.
 */

import type { HostFacts, RootFacts } from "../../../src/plan/host-facts.ts";
import type { SpecExtra } from "../../../src/plan/build-spec.ts";
import type { RunRequest } from "../../../src/plan/run-request.ts";

const EVERY_ID = [{ inside: 0, outside: 0, size: 0xffff_ffff }];

export const anna: HostFacts = {
  kernel: { major: 6, minor: 18, release: "6.18.0" },
  architecture: "x64",
  uid: 1000,
  gid: 1000,
  userName: "anna",
  capabilities: 0n,
  lastCapability: 40,
  uidMap: EVERY_ID,
  gidMap: EVERY_ID,
  setgroupsDenied: false,
  subuid: [{ start: 100_000, count: 65_536 }],
  subgid: [{ start: 100_000, count: 65_536 }],
  newuidmap: { path: "/usr/bin/newuidmap", privileged: true },
  newgidmap: { path: "/usr/bin/newgidmap", privileged: true },
  noNewPrivileges: false,
  fuseOverlayfs: null,
  fileSystems: ["overlay", "tmpfs", "mqueue", "proc", "sysfs", "devpts", "cgroup2"],
  cgroup: { layout: "v2", v1: [], v2: { mountPoint: "/sys/fs/cgroup", path: "/user.slice", controllers: [] } },
  apparmor: { enabled: false },
  landlockAbi: 7,
  hasTimeNamespaces: true,
  mountPoints: ["/", "/proc", "/sys", "/dev", "/dev/shm", "/dev/mqueue"],
  runtimeDirectory: "/run/user/1000/pycri",
  stageDirectory: "/run/user/1000/pycri/stage",
  home: "/home/anna",
  nofile: { soft: 1024, hard: 524_288 },
};

/** The same person on a machine without newuidmap. */
export const annaAlone: HostFacts = { ...anna, newuidmap: null, newgidmap: null };

/** Root of the machine, without subordinate ids. */
export const root: HostFacts = {
  ...anna,
  uid: 0,
  gid: 0,
  userName: "root",
  capabilities: (1n << 41n) - 1n,
  subuid: [],
  subgid: [],
  runtimeDirectory: "/run/pycri",
  stageDirectory: "/run/pycri/stage",
  home: "/root",
};

export const rootFacts: RootFacts = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/var/www:/usr/sbin/nologin\nanna:x:1000:1000::/home/anna:/bin/sh\n",
  group: "root:x:0:\ntty:x:5:\nweb:x:33:\naudio:x:29:web\nvideo:x:44:web,anna\nhuge:x:4000000:web\n",
};

export const ID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

export const extra: SpecExtra = {
  id: ID,
  seccomp: null,
  allocatedRanges: { uid: [], gid: [] },
};

const plain: RunRequest = {
  root: { kind: "directory", path: "/rootfs" },
  writes: { kind: "discard" },
  command: ["/bin/sh"],
  remove: true,
  labels: {},
  userNamespace: { kind: "default" },
  pidNamespace: "private",
  ipcNamespace: "private",
  utsNamespace: "private",
  cgroupNamespace: "private",
  network: "none",
  mounts: [],
  directories: [],
  devices: [],
  shmSize: 67_108_864,
  environment: [],
  additionalGroups: [],
  rlimits: [],
  sysctls: {},
  init: false,
  interactive: true,
  terminal: false,
  forwardSignals: true,
  capabilitiesAdd: [],
  capabilitiesDrop: [],
  security: {
    seccomp: { kind: "builtin", name: "default" },
    noNewPrivileges: true,
    landlock: "auto",
    mask: [],
    unmask: [],
  },
  resources: {},
  cgroups: "enabled",
};

export type RequestChanges = Partial<Omit<RunRequest, "security">> & {
  readonly security?: Partial<RunRequest["security"]>;
};

export function request(changes: RequestChanges = {}): RunRequest {
  return { ...plain, ...changes, security: { ...plain.security, ...changes.security } };
}

/** Eight bytes of a filter that allows everything: `ret SECCOMP_RET_ALLOW`. */
export const filter: { readonly program: Uint8Array; readonly flags: number } = {
  program: Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f),
  flags: 0,
};
