/** Requests and hosts of every kind for property tests. */

import fc from "fast-check";
import type { HostFacts } from "../../../src/plan/host-facts.ts";
import type { MountRequest, RunRequest, UserNamespaceMode } from "../../../src/plan/run-request.ts";
import { anna, annaAlone, request, root } from "./made-up-host.ts";

const namespace = fc.constantFrom("private" as const, "host" as const);

const userNamespace: fc.Arbitrary<UserNamespaceMode> = fc.constantFrom<UserNamespaceMode>(
  { kind: "default" },
  { kind: "single" },
  { kind: "keep-id" },
  { kind: "keep-id", uid: 7, gid: 8 },
  { kind: "nomap" },
  { kind: "auto", size: 100 },
);

const path = fc.constantFrom(
  "/data",
  "/data/a",
  "/data/b/c",
  "/tmp/x",
  "/etc/resolv.conf",
  "/home/anna/work",
  "/dev/shm",
);

const mount: fc.Arbitrary<MountRequest> = fc.oneof(
  fc.record({
    kind: fc.constant("bind" as const),
    source: fc.constantFrom("/src", "/src/file"),
    target: path,
    readOnly: fc.boolean(),
    recursive: fc.boolean(),
    recursiveReadOnly: fc.boolean(),
    propagation: fc.constantFrom("private" as const, "rprivate" as const, "rslave" as const, "shared" as const),
    createSource: fc.boolean(),
    idmap: fc.constant(false),
    options: fc.subarray(["nosuid", "nodev", "noexec", "noatime"]),
  }),
  fc.record({
    kind: fc.constant("tmpfs" as const),
    target: path,
    readOnly: fc.boolean(),
    options: fc.subarray(["exec", "uid=0"]),
  }),
);

const changes = fc.record({
  root: fc.constantFrom<RunRequest["root"]>({ kind: "directory", path: "/rootfs" }, { kind: "host" }),
  writes: fc.constantFrom<RunRequest["writes"]>(
    { kind: "discard" },
    { kind: "refuse" },
    { kind: "through" },
    { kind: "upper", path: "/upper" },
  ),
  userNamespace,
  pidNamespace: namespace,
  ipcNamespace: namespace,
  utsNamespace: namespace,
  cgroupNamespace: namespace,
  network: fc.constantFrom("none" as const, "host" as const),
  mounts: fc.uniqueArray(mount, { maxLength: 4, selector: (entry) => entry.target }),
  user: fc.constantFrom("root", "web", "0:0"),
  init: fc.boolean(),
  interactive: fc.boolean(),
  terminal: fc.boolean(),
  forwardSignals: fc.boolean(),
  capabilitiesAdd: fc.subarray(["SYS_ADMIN", "NET_RAW", "ALL"]),
  capabilitiesDrop: fc.subarray(["KILL", "ALL"]),
  oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
  rlimits: fc.subarray([{ type: "RLIMIT_NPROC", soft: 10, hard: 10 }]),
});

export const requests: fc.Arbitrary<RunRequest> = fc
  .tuple(changes, fc.boolean(), fc.constantFrom("auto" as const, "off" as const))
  .map(([change, noNewPrivileges, landlock]) => request({ ...change, security: { noNewPrivileges, landlock } }));

export const hosts: fc.Arbitrary<HostFacts> = fc.constantFrom(
  anna,
  annaAlone,
  root,
  { ...anna, fuseOverlayfs: "/usr/bin/fuse-overlayfs" },
  { ...anna, landlockAbi: 0, cgroup: { layout: "hybrid", v1: [], v2: null } },
);
