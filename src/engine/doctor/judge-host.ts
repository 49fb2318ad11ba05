/**
 * From evidence to findings: what keeps this host from a full rootless run, and the remedy. Pure; each subject is one
 * function. The trial has the last word: a switch that looks wrong and lets the container start is not reported.
 */

import { conventionalParent } from "../../cgroup/v1-manager.ts";
import { writesMapsItself } from "../../plan/id-mappings.ts";
import type { HostFacts, SubordinateRange } from "../../plan/host-facts.ts";
import type { HostEvidence, Trial } from "./evidence.ts";
import { type Finding, missing, ok, optional } from "./finding.ts";
import { DELEGATE_LINES, installLine, subordinateIdsLine, sysctlLines } from "./remedies.ts";

/** mount_setattr(2), which every read-only mount is made with. */
const OLDEST_KERNEL = { major: 5, minor: 12 };
/** Enough for every id of a distribution's own users, nobody (65534) included. */
const ENOUGH_IDS = 65_535;
const NEEDED_CONTROLLERS = ["cpu", "memory", "pids"];
const USEFUL_CONTROLLERS = ["cpuset", "io"];
/** v1's name. */
const BLOCK_IO = "blkio";

/** Findings in the order they are best mended in. */
export function judgeHost(evidence: HostEvidence): readonly Finding[] {
  const subjects = [
    judgeKernel,
    judgeUserNamespaces,
    judgeIdPrograms,
    judgeSubordinateIds,
    judgeSeccomp,
    judgeHelper,
    judgeOverlay,
    judgeCgroup,
    judgeRuntimeDirectory,
    judgeLingering,
    judgeNetworkDevice,
    judgeNetworkProgram,
  ];
  const findings = subjects.flatMap((judge) => judge(evidence) ?? []);
  return [...findings, judgeContainer(evidence, findings)];
}

/** Whether `pycri run` does everything it can on this host. */
export function isFullRunPossible(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== "missing");
}

function runs(evidence: HostEvidence): boolean {
  return evidence.trial.outcome === "runs" || evidence.singleIdTrial?.outcome === "runs";
}

function judgeKernel({ facts: { kernel } }: HostEvidence): Finding {
  const { major, minor } = OLDEST_KERNEL;
  if (kernel.major > major || (kernel.major === major && kernel.minor >= minor)) {
    return ok("kernel", `Linux ${kernel.release}`);
  }
  return missing("kernel", `Linux ${kernel.release} is older than ${major}.${minor}`, [
    `# boot a kernel of ${major}.${minor} or newer`,
  ]);
}

function judgeUserNamespaces(evidence: HostEvidence): Finding {
  const { facts, survey, trial, singleIdTrial } = evidence;
  const { sysctls } = survey;
  const subject = "user namespaces";
  if (!survey.namespaces.includes("user")) {
    return missing(subject, "The kernel has no user namespaces", ["# boot a kernel with CONFIG_USER_NS=y"]);
  }
  if (runs(evidence)) return ok(subject, "can be made");
  if (sysctls["user.max_user_namespaces"] === 0) {
    return missing(
      subject,
      "user.max_user_namespaces is 0, which allows none",
      sysctlLines("user.max_user_namespaces", 15_000),
    );
  }
  // The next two are about callers without privilege.
  if (sysctls["kernel.unprivileged_userns_clone"] === 0 && !isPrivileged(facts)) {
    return missing(
      subject,
      "kernel.unprivileged_userns_clone is 0, which forbids them to you",
      sysctlLines("kernel.unprivileged_userns_clone", 1),
    );
  }
  if (sysctls["kernel.apparmor_restrict_unprivileged_userns"] === 1 && !isPrivileged(facts)) {
    return missing(
      subject,
      "AppArmor leaves them without capabilities (kernel.apparmor_restrict_unprivileged_userns is 1)",
      sysctlLines("kernel.apparmor_restrict_unprivileged_userns", 0),
    );
  }
  const failed = firstFailure(trial, singleIdTrial);
  if (failed?.operation === "clone") {
    if (failed.errno === "ENOSPC" || failed.errno === "EUSERS") {
      return missing(
        subject,
        "A limit of namespaces is reached",
        ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup"].map(
          (name) => `sysctl -w user.max_${name}_namespaces=15000`,
        ),
      );
    }
    return missing(subject, `${failed.message}, and no switch of this host says why`, [
      "# start pycri outside the container or sandbox around it, or loosen that one's seccomp filter (Docker: --security-opt seccomp=unconfined)",
    ]);
  }
  return ok(subject, "can be made");
}

function judgeIdPrograms({ facts, survey }: HostEvidence): Finding {
  const subject = "id programs";
  if (writesMapsItself(facts)) return ok(subject, "not needed: you may write id maps yourself");
  const lacking = (["newuidmap", "newgidmap"] as const).filter((name) => facts[name] === null);
  if (lacking.length > 0) {
    return missing(subject, `${lacking.join(" and ")} ${lacking.length > 1 ? "are" : "is"} not installed`, [
      installLine("newuidmap", survey.distribution),
    ]);
  }
  const weak = [facts.newuidmap, facts.newgidmap].flatMap((tool) =>
    tool === null || tool.privileged ? [] : [tool.path],
  );
  if (weak.length > 0) {
    return missing(
      subject,
      `${weak.join(" and ")} ${weak.length > 1 ? "have" : "has"} neither the setuid bit nor a file capability`,
      weak.map((path) => `chmod u+s ${path}`),
    );
  }
  if (survey.noNewPrivileges) {
    return missing(
      subject,
      "no_new_privs is set on this process, so that newuidmap and newgidmap gain nothing from their setuid bit",
      ["# start pycri from a session or service without it (systemd: NoNewPrivileges=no)"],
    );
  }
  return ok(subject, `${facts.newuidmap?.path}, ${facts.newgidmap?.path}`);
}

function judgeSubordinateIds({ facts, survey }: HostEvidence): Finding {
  const subject = "subordinate ids";
  const counts = { uid: countIds(facts.subuid), gid: countIds(facts.subgid) };
  if (writesMapsItself(facts) && counts.uid === 0 && counts.gid === 0) {
    return ok(subject, "not needed: you may map any id");
  }
  const user = facts.userName ?? String(facts.uid);
  const kinds = (["uid", "gid"] as const).filter((kind) => counts[kind] === 0);
  if (kinds.length > 0) {
    const files = kinds.map((kind) => `/etc/sub${kind}`);
    return missing(
      subject,
      `${files.join(" and ")} ${files.length > 1 ? "grant" : "grants"} no ids to "${user}"`,
      // usermod(8) knows names; a user without one is written into the files by its number.
      facts.userName === null
        ? files.map((file) => `echo ${user}:${survey.freeSubordinateId}:65536 >>${file}`)
        : [subordinateIdsLine(user, kinds, survey.freeSubordinateId)],
    );
  }
  const few = (["uid", "gid"] as const).filter((kind) => counts[kind] < ENOUGH_IDS);
  if (few.length > 0) {
    return optional(
      subject,
      `"${user}" has ${few.map((kind) => `${counts[kind]} subordinate ${kind}s`).join(" and ")}; images use ids up to 65534`,
      [subordinateIdsLine(user, few, survey.freeSubordinateId)],
    );
  }
  return ok(subject, `${counts.uid} user ids, ${counts.gid} group ids`);
}

function judgeSeccomp({ survey }: HostEvidence): Finding {
  if (survey.seccompActions.length > 0) return ok("seccomp", "the kernel takes filters");
  return missing("seccomp", "The kernel takes no seccomp filters", [
    "# boot a kernel with CONFIG_SECCOMP_FILTER=y, or run without a filter: --security-opt seccomp=unconfined",
  ]);
}

function judgeHelper({ survey }: HostEvidence): Finding | null {
  if (survey.sysctls["vm.memfd_noexec"] !== 2) return null;
  return missing(
    "helper",
    "vm.memfd_noexec is 2, which forbids the helper its protected copy in memory",
    sysctlLines("vm.memfd_noexec", 1),
  );
}

function judgeOverlay(evidence: HostEvidence): Finding | null {
  const { facts, survey, trial, singleIdTrial } = evidence;
  const tried = [trial, singleIdTrial].find((each) => each?.outcome === "runs");
  const subject = "overlay";
  if (tried?.outcome === "runs" && tried.overlay) return ok(subject, "overlayfs works in a user namespace");
  // What a container that does not start would do with its root filesystem nobody knows.
  if (tried === undefined && facts.fileSystems.includes("overlay")) return null;
  if (facts.fuseOverlayfs !== null) {
    return optional(
      subject,
      `overlayfs does not work in a user namespace here; ${facts.fuseOverlayfs} does it instead, slower`,
      facts.fileSystems.includes("overlay") ? ["# boot a kernel of 5.11 or newer"] : ["modprobe overlay"],
    );
  }
  if (!facts.fileSystems.includes("overlay")) {
    return missing(subject, "The kernel has no overlayfs, and root filesystems are copied", ["modprobe overlay"]);
  }
  return missing(subject, "overlayfs does not work in a user namespace here, and root filesystems are copied", [
    ...(survey.programs["fuse-overlayfs"] === null ? [installLine("fuse-overlayfs", survey.distribution)] : []),
    ...(survey.devices["/dev/fuse"] === "missing" ? ["modprobe fuse"] : []),
    ...(survey.devices["/dev/fuse"] === "denied" ? ["chmod 666 /dev/fuse"] : []),
  ]);
}

function judgeCgroup({ facts, survey, cgroup }: HostEvidence): Finding {
  const subject = "cgroup controllers";
  const has = (name: string): boolean =>
    cgroup.controllers.includes(name) || (name === "io" && cgroup.controllers.includes(BLOCK_IO));
  const delegate = survey.systemd && facts.cgroup.layout === "v2" && facts.uid !== 0;
  if (cgroup.lack !== null) {
    const { reason, remedy } = cgroup.lack;
    const isV1 = facts.cgroup.layout === "v1" || facts.cgroup.layout === "hybrid";
    const lines = isV1 ? [delegateV1Line(facts)] : remedy === null ? [] : [commandOf(remedy)];
    return missing(subject, `No limit can be set: ${reason}`, lines);
  }
  const lacking = NEEDED_CONTROLLERS.filter((name) => !has(name));
  const wanting = USEFUL_CONTROLLERS.filter((name) => !has(name));
  const lines = delegate ? [...DELEGATE_LINES, "# then log in again"] : [handDownLine(facts)];
  if (lacking.length > 0) {
    return missing(subject, `You are not given ${lacking.join(", ")} (by ${cgroup.manager})`, lines);
  }
  if (wanting.length > 0) {
    return optional(subject, `You are not given ${wanting.join(", ")} (by ${cgroup.manager})`, lines);
  }
  return ok(subject, `${cgroup.controllers.join(", ")} (by ${cgroup.manager})`);
}

function handDownLine(facts: HostFacts): string {
  if (facts.cgroup.layout === "v2") return "# have an administrator hand these controllers down to your cgroup";
  return delegateV1Line(facts);
}

/** Until the next boot: a v1 hierarchy keeps nothing. */
function delegateV1Line({ cgroup, uid }: HostFacts): string {
  const mountPoints = cgroup.v1.flatMap(({ controller, mountPoint }) =>
    controller.startsWith("name=") ? [] : [mountPoint],
  );
  const directory = `$cgroup${conventionalParent(uid)}`;
  return `for cgroup in ${[...new Set(mountPoints)].join(" ")}; do mkdir -p ${directory} && chown ${uid} ${directory}; done`;
}

/** Remedies of the cgroup managers are sentences with a command in them. */
function commandOf(remedy: string): string {
  return /^`([^`]+)`/.exec(remedy)?.[1] ?? `# ${remedy}`;
}

function judgeRuntimeDirectory({ facts, survey }: HostEvidence): Finding {
  const subject = "runtime directory";
  const { value, usable, candidate } = survey.runtimeDirectory;
  if (usable) return ok(subject, facts.runtimeDirectory);
  if (facts.uid === 0) return ok(subject, facts.runtimeDirectory);
  const fault =
    value === null ? "XDG_RUNTIME_DIR is not set" : `XDG_RUNTIME_DIR is "${value}", which is not yours alone`;
  const message = `${fault}; ${facts.runtimeDirectory} is used instead`;
  if (candidate !== null) return optional(subject, message, [`export XDG_RUNTIME_DIR=${candidate}`], false);
  if (survey.systemd) {
    return optional(subject, message, [
      `loginctl enable-linger ${facts.userName ?? facts.uid}`,
      `# then, as yourself: export XDG_RUNTIME_DIR=/run/user/${facts.uid}`,
    ]);
  }
  return optional(
    subject,
    message,
    [`export XDG_RUNTIME_DIR=${facts.home ?? "/tmp"}/.run-${facts.uid}`, 'mkdir -p -m 0700 "$XDG_RUNTIME_DIR"'],
    false,
  );
}

function judgeLingering({ facts, survey }: HostEvidence): Finding | null {
  if (survey.lingering === null || facts.uid === 0) return null;
  if (survey.lingering) return ok("lingering", "your containers may outlive your sessions");
  return optional("lingering", "systemd ends your containers when you log out", [
    `loginctl enable-linger ${facts.userName ?? facts.uid}`,
  ]);
}

function judgeNetworkDevice({ survey }: HostEvidence): Finding {
  const subject = "network device";
  switch (survey.devices["/dev/net/tun"]) {
    case "usable":
      return ok(subject, "/dev/net/tun can be opened");
    case "denied":
      return optional(subject, "/dev/net/tun is closed to you: no network but --network host", [
        "chmod 666 /dev/net/tun",
      ]);
    case "missing":
      return optional(subject, "/dev/net/tun is missing: no network but --network host", ["modprobe tun"]);
  }
}

function judgeNetworkProgram({ survey: { programs, distribution } }: HostEvidence): Finding {
  const found = programs.pasta ?? programs.slirp4netns;
  if (found !== null) return ok("network program", found);
  return optional("network program", "Neither pasta nor slirp4netns is installed: no network but --network host", [
    installLine("pasta", distribution),
  ]);
}

/** Whatever the other findings do not explain. */
function judgeContainer({ trial, singleIdTrial }: HostEvidence, others: readonly Finding[]): Finding {
  const subject = "container";
  if (trial.outcome === "runs") return ok(subject, "one was started and ended");
  if (singleIdTrial?.outcome === "runs") {
    return missing(subject, `Only a container with a single id starts: ${trial.message}`, hintLines(trial), false);
  }
  const explained = others.some(({ level }) => level === "missing");
  return missing(
    subject,
    `${trial.message}${explained ? "; mend the above first" : ""}`,
    explained ? [] : hintLines(trial),
    false,
  );
}

function hintLines({ hint }: { readonly hint: string | null }): readonly string[] {
  return hint === null ? [] : [`# ${hint}`];
}

function firstFailure(...trials: readonly (Trial | null)[]): (Trial & { readonly outcome: "fails" }) | undefined {
  // The simpler one says more about the host.
  return trials.toReversed().find((trial) => trial?.outcome === "fails");
}

function isPrivileged({ capabilities }: HostFacts): boolean {
  const CAP_SYS_ADMIN = 21n;
  return ((capabilities >> CAP_SYS_ADMIN) & 1n) === 1n;
}

function countIds(ranges: readonly SubordinateRange[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}
