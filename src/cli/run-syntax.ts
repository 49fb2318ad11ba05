/**
 * How a command line of `pycri run` is read: its options, which `pycri spec` shares. Spellings are Docker's and Podman's
 * where they have one. Apart from the command, so that the small bundle gets nothing else.
 */

import type { OperandDefinition, OptionValues } from "./command.ts";
import { LIMIT_OPTIONS } from "./limit-options.ts";
import type { CommandSyntax } from "./parse-arguments.ts";

/** Options of everything that makes a container of a root filesystem, beside `LIMIT_OPTIONS`. */
export const CONTAINER_OPTIONS = {
  rootfs: {
    type: "value",
    value: "DIR",
    help: "use DIR as the root filesystem; all operands are then the command",
    completion: "directory",
    group: "Root filesystem",
  },
  pull: {
    type: "value",
    value: "WHEN",
    help: "ask the registry for an image: missing by default",
    choices: ["always", "missing", "never", "newer"],
    group: "Root filesystem",
  },
  platform: {
    type: "value",
    value: "OS/ARCH[/VARIANT]",
    help: "take an image's variant for another platform",
    group: "Root filesystem",
  },
  "tls-verify": {
    type: "flag",
    help: "check registries' certificates, true but for loopback",
    group: "Root filesystem",
  },
  "unpack-limit": {
    type: "list",
    value: "NAME=NUMBER",
    help: "bound what a layer may unpack to: bytes, entries, depth, ratio",
    group: "Root filesystem",
  },
  rw: { type: "flag", help: "write to ROOTFS itself", group: "Root filesystem" },
  upper: {
    type: "value",
    value: "DIR",
    help: "keep what is written in DIR",
    completion: "directory",
    group: "Root filesystem",
  },
  "read-only": { type: "flag", help: "allow no writes to the root filesystem", group: "Root filesystem" },
  volume: {
    type: "list",
    short: "v",
    value: "SRC:DST[:OPTIONS]",
    help: "bind a directory or file of the host: ro, rbind, idmap, noexec …",
    completion: "directory",
    group: "Mounts",
  },
  mount: { type: "list", value: "FIELDS", help: "type=bind,source=…,target=… or type=tmpfs,target=…", group: "Mounts" },
  tmpfs: {
    type: "list",
    value: "DST[:OPTIONS]",
    help: "mount an empty tmpfs: size=, mode=, noexec …",
    group: "Mounts",
  },
  "shm-size": { type: "value", value: "SIZE", help: "size of /dev/shm, 64m by default", group: "Mounts" },
  device: {
    type: "list",
    value: "HOST[:DST][:rwm]",
    help: "show a device of the host",
    completion: "file",
    group: "Mounts",
  },

  env: {
    type: "list",
    short: "e",
    value: "NAME[=VALUE]",
    help: "set an environment variable, or pass your own on",
    group: "Process",
  },
  "env-file": {
    type: "list",
    value: "FILE",
    help: "read environment variables from a file",
    completion: "file",
    group: "Process",
  },
  workdir: { type: "value", short: "w", value: "DIR", help: "working directory in the container", group: "Process" },
  user: {
    type: "value",
    short: "u",
    value: "USER[:GROUP]",
    help: "run as this user of the container, name or number",
    group: "Process",
  },
  "group-add": { type: "list", value: "GROUP", help: "add a supplementary group", group: "Process" },
  entrypoint: { type: "value", value: "PROGRAM", help: "put PROGRAM before the command", group: "Process" },
  ulimit: { type: "list", value: "NAME=SOFT[:HARD]", help: "set a resource limit", group: "Process" },
  "oom-score-adj": {
    type: "value",
    value: "N",
    help: "adjust the OOM killer's choice, -1000 to 1000",
    group: "Process",
  },
  umask: { type: "value", value: "MODE", help: "file mode creation mask, octal", group: "Process" },
  init: { type: "flag", help: "run a PID 1 that forwards signals and reaps", group: "Process" },
  interactive: {
    type: "flag",
    short: "i",
    help: "pass stdin through, which is the default; =false connects /dev/null",
    group: "Process",
  },
  tty: { type: "flag", short: "t", help: "give the command a terminal", group: "Process" },
  "sig-proxy": { type: "flag", help: "forward signals to the command, which is the default", group: "Process" },
  "stop-timeout": {
    type: "value",
    value: "SECONDS",
    help: "kill the command this long after a forwarded SIGTERM",
    group: "Process",
  },

  userns: {
    type: "value",
    value: "MODE",
    help: "user namespace: default, keep-id[:uid=,gid=], nomap, auto[:size=], single",
    suggestions: ["default", "keep-id", "nomap", "auto", "single"],
    group: "Namespaces",
  },
  uidmap: { type: "list", value: "IN:HOST:SIZE", help: "map user ids explicitly", group: "Namespaces" },
  gidmap: { type: "list", value: "IN:HOST:SIZE", help: "map group ids explicitly", group: "Namespaces" },
  pid: { type: "value", value: "MODE", help: "PID namespace", choices: ["private", "host"], group: "Namespaces" },
  ipc: { type: "value", value: "MODE", help: "IPC namespace", choices: ["private", "host"], group: "Namespaces" },
  uts: { type: "value", value: "MODE", help: "UTS namespace", choices: ["private", "host"], group: "Namespaces" },
  cgroupns: {
    type: "value",
    value: "MODE",
    help: "cgroup namespace",
    choices: ["private", "host"],
    group: "Namespaces",
  },
  network: {
    type: "value",
    aliases: ["net"],
    value: "MODE",
    help: "network: loopback only, or the host's",
    choices: ["none", "host"],
    group: "Namespaces",
  },
  hostname: { type: "value", short: "h", value: "NAME", help: "host name in the container", group: "Namespaces" },
  sysctl: { type: "list", value: "KEY=VALUE", help: "set a namespaced kernel parameter", group: "Namespaces" },
  "time-offset": {
    type: "value",
    value: "SECONDS",
    help: "shift the monotonic and boot clocks, or monotonic=…,boottime=…",
    group: "Namespaces",
  },

  "cap-add": { type: "list", value: "CAP", help: "add a capability, or ALL", group: "Security" },
  "cap-drop": { type: "list", value: "CAP", help: "drop a capability, or ALL", group: "Security" },
  privileged: {
    type: "flag",
    help: "all capabilities inside, no seccomp filter, nothing masked",
    group: "Security",
  },
  "security-opt": {
    type: "list",
    value: "OPTION",
    help: "seccomp=NAME|FILE, no-new-privileges, apparmor=, landlock=, proc-opts=, mask=, unmask=",
    suggestions: [
      "seccomp=default",
      "seccomp=baseline",
      "seccomp=strict",
      "seccomp=ci",
      "seccomp=unconfined",
      "no-new-privileges=false",
      "apparmor=unconfined",
      "landlock=require",
      "landlock=off",
      "proc-opts=hidepid=2",
      "mask=",
      "unmask=ALL",
    ],
    group: "Security",
  },

  cgroups: {
    type: "value",
    value: "MODE",
    help: "what to do about limits that cannot be applied: fail, warn, or apply none",
    choices: ["enabled", "auto", "disabled"],
    group: "Limits",
  },
  "cgroup-manager": {
    type: "value",
    value: "NAME",
    help: "who makes the cgroup",
    choices: ["systemd", "cgroupfs", "disabled"],
    group: "Limits",
  },
  "cgroup-parent": { type: "value", value: "PATH", help: "cgroup or slice to make the cgroup in", group: "Limits" },

  name: { type: "value", value: "NAME", help: "name the container, and keep its record", group: "Record" },
  rm: { type: "flag", help: "forget the container when it ends; the default without a name", group: "Record" },
  label: { type: "list", short: "l", value: "KEY[=VALUE]", help: "attach a label", group: "Record" },
  cidfile: {
    type: "value",
    value: "FILE",
    help: "write the container's id to FILE",
    completion: "file",
    group: "Record",
  },
  pidfile: {
    type: "value",
    value: "FILE",
    help: "write the process id of its first process to FILE",
    completion: "file",
    group: "Record",
  },

  detach: {
    type: "flag",
    short: "d",
    help: "",
    refusal:
      "the container runs as long as pycri run does: put it in the background with &, setsid or systemd-run --user",
  },
  publish: {
    type: "list",
    short: "p",
    value: "PORTS",
    help: "",
    refusal: "with --network host the container's ports are the host's own",
  },
  restart: {
    type: "value",
    value: "POLICY",
    help: "",
    refusal: "leave restarts to the supervisor that starts pycri, e.g. Restart= of a systemd unit",
  },
  dns: {
    type: "list",
    value: "ADDRESS",
    help: "",
    refusal: "bind a file of your own: -v ./resolv.conf:/etc/resolv.conf:ro",
  },
  "add-host": {
    type: "list",
    value: "NAME:ADDRESS",
    help: "",
    refusal: "bind a file of your own: -v ./hosts:/etc/hosts:ro",
  },
} as const;

export type ContainerValues = OptionValues<typeof CONTAINER_OPTIONS> & OptionValues<typeof LIMIT_OPTIONS>;

const OUTPUT_OPTIONS = {
  "dry-run": { type: "flag", help: "print the plan and run nothing", group: "Output" },
  format: {
    type: "value",
    value: "FORMAT",
    help: "form of the plan",
    choices: ["text", "json"],
    group: "Output",
  },
} as const;

export type RunValues = ContainerValues & OptionValues<typeof OUTPUT_OPTIONS>;

/** ROOTFS and COMMAND; with `--rootfs` the first word is the command's. */
export const CONTAINER_OPERANDS: readonly OperandDefinition[] = [
  {
    name: "ROOTFS",
    help: "a directory that holds a root filesystem, an image, or host for a read-only view of the host's own",
    count: "optional",
    completion: "rootfs",
  },
  { name: "COMMAND", help: "the command and its arguments, /bin/sh when absent", count: "many" },
];

export const RUN_SYNTAX: CommandSyntax = {
  operands: CONTAINER_OPERANDS,
  options: { ...CONTAINER_OPTIONS, ...LIMIT_OPTIONS, ...OUTPUT_OPTIONS },
  optionsEndAtOperand: true,
};
