/** Made-up hosts, one for each lack: the level, what is said and the lines that mend it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostEvidence, Trial } from "../../../../src/engine/doctor/evidence.ts";
import type { Finding, FindingSubject } from "../../../../src/engine/doctor/finding.ts";
import { isFullRunPossible, judgeHost } from "../../../../src/engine/doctor/judge-host.ts";
import type { HostSurvey } from "../../../../src/host/host-survey.ts";
import { anna, root } from "../../plan/made-up-host.ts";

const survey: HostSurvey = {
  sysctls: {
    "kernel.unprivileged_userns_clone": 1,
    "user.max_user_namespaces": 15_000,
    "kernel.apparmor_restrict_unprivileged_userns": 0,
    "vm.memfd_noexec": 0,
  },
  namespaces: ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"],
  lsms: ["lockdown", "capability", "landlock", "apparmor"],
  apparmorProfile: "unconfined",
  selinuxEnforcing: null,
  seccompActions: ["kill_process", "errno", "allow"],
  noNewPrivileges: false,
  devices: { "/dev/net/tun": "usable", "/dev/fuse": "usable" },
  programs: {
    newuidmap: "/usr/bin/newuidmap",
    newgidmap: "/usr/bin/newgidmap",
    "fuse-overlayfs": null,
    pasta: "/usr/bin/pasta",
    slirp4netns: null,
    zstd: null,
    systemctl: "/usr/bin/systemctl",
    loginctl: "/usr/bin/loginctl",
  },
  systemd: true,
  lingering: true,
  runtimeDirectory: { value: "/run/user/1000", usable: true, candidate: "/run/user/1000" },
  distribution: ["ubuntu", "debian"],
  freeSubordinateId: 165_536,
};

const whole: HostEvidence = {
  facts: anna,
  survey,
  cgroup: { manager: "systemd", controllers: ["cpu", "cpuset", "io", "memory", "pids"], lack: null },
  trial: { outcome: "runs", overlay: true },
  singleIdTrial: null,
};

const refused = (operation: string, errno: string): Trial => ({
  outcome: "fails",
  message: `Cannot ${operation}: ${errno}`,
  hint: "A hint.",
  operation,
  errno,
});

/** Neither way starts. */
const nothingRuns = (operation: string, errno: string): Partial<HostEvidence> => ({
  trial: refused(operation, errno),
  singleIdTrial: refused(operation, errno),
});

const withSurvey = (changes: Partial<HostSurvey>): Partial<HostEvidence> => ({ survey: { ...survey, ...changes } });
const withSysctl = (name: keyof HostSurvey["sysctls"], value: number): HostSurvey => ({
  ...survey,
  sysctls: { ...survey.sysctls, [name]: value },
});
const withFacts = (changes: Partial<typeof anna>): Partial<HostEvidence> => ({ facts: { ...anna, ...changes } });

const find = (changes: Partial<HostEvidence>, subject: FindingSubject): Finding | undefined =>
  judgeHost({ ...whole, ...changes }).find((finding) => finding.subject === subject);

test("on a whole host nothing is missing, and nothing optional either", () => {
  const findings = judgeHost(whole);
  assert.deepEqual(
    findings.filter(({ level }) => level !== "ok"),
    [],
  );
  assert.equal(isFullRunPossible(findings), true);
  assert.deepEqual(
    findings.map(({ subject }) => subject),
    [
      "kernel",
      "user namespaces",
      "id programs",
      "subordinate ids",
      "seccomp",
      "overlay",
      "cgroup controllers",
      "runtime directory",
      "lingering",
      "network device",
      "network program",
      "container",
    ],
  );
});

interface Case {
  readonly name: string;
  readonly changes: Partial<HostEvidence>;
  readonly subject: FindingSubject;
  readonly level: "missing" | "optional";
  readonly message: RegExp;
  readonly remedy: readonly string[];
}

const persistent = (name: string, value: number): readonly string[] => [
  `sysctl -w ${name}=${value}`,
  `echo ${name}=${value} >/etc/sysctl.d/90-pycri.conf`,
];

const CASES: readonly Case[] = [
  {
    name: "an old kernel",
    changes: withFacts({ kernel: { major: 4, minor: 19, release: "4.19.0-27-amd64" } }),
    subject: "kernel",
    level: "missing",
    message: /^Linux 4\.19\.0-27-amd64 is older than 5\.12$/,
    remedy: ["# boot a kernel of 5.12 or newer"],
  },
  {
    name: "a kernel without user namespaces",
    changes: { ...withSurvey({ namespaces: ["mnt", "pid"] }), ...nothingRuns("clone", "EINVAL") },
    subject: "user namespaces",
    level: "missing",
    message: /has no user namespaces/,
    remedy: ["# boot a kernel with CONFIG_USER_NS=y"],
  },
  {
    name: "user.max_user_namespaces=0",
    changes: { survey: withSysctl("user.max_user_namespaces", 0), ...nothingRuns("clone", "ENOSPC") },
    subject: "user namespaces",
    level: "missing",
    message: /^user\.max_user_namespaces is 0/,
    remedy: persistent("user.max_user_namespaces", 15_000),
  },
  {
    name: "Debian's switch",
    changes: { survey: withSysctl("kernel.unprivileged_userns_clone", 0), ...nothingRuns("clone", "EPERM") },
    subject: "user namespaces",
    level: "missing",
    message: /^kernel\.unprivileged_userns_clone is 0/,
    remedy: persistent("kernel.unprivileged_userns_clone", 1),
  },
  {
    name: "Ubuntu's restriction",
    changes: {
      survey: withSysctl("kernel.apparmor_restrict_unprivileged_userns", 1),
      ...nothingRuns("enterStage", "EACCES"),
    },
    subject: "user namespaces",
    level: "missing",
    message: /^AppArmor leaves them without capabilities/,
    remedy: persistent("kernel.apparmor_restrict_unprivileged_userns", 0),
  },
  {
    name: "a limit of namespaces",
    changes: nothingRuns("clone", "ENOSPC"),
    subject: "user namespaces",
    level: "missing",
    message: /limit of namespaces is reached/,
    remedy: ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup"].map(
      (kind) => `sysctl -w user.max_${kind}_namespaces=15000`,
    ),
  },
  {
    name: "a sandbox around pycri",
    changes: nothingRuns("clone", "EPERM"),
    subject: "user namespaces",
    level: "missing",
    message: /no switch of this host says why/,
    remedy: [
      "# start pycri outside the container or sandbox around it, or loosen that one's seccomp filter (Docker: --security-opt seccomp=unconfined)",
    ],
  },
  {
    name: "no newuidmap on Ubuntu",
    changes: withFacts({ newuidmap: null, newgidmap: null }),
    subject: "id programs",
    level: "missing",
    message: /^newuidmap and newgidmap are not installed$/,
    remedy: ["apt-get install -y uidmap"],
  },
  {
    name: "no newgidmap on Fedora",
    changes: { ...withFacts({ newgidmap: null }), ...withSurvey({ distribution: ["fedora"] }) },
    subject: "id programs",
    level: "missing",
    message: /^newgidmap is not installed$/,
    remedy: ["dnf install -y shadow-utils"],
  },
  {
    name: "no newuidmap on a distribution nobody knows",
    changes: { ...withFacts({ newuidmap: null }), ...withSurvey({ distribution: ["home-made"] }) },
    subject: "id programs",
    level: "missing",
    message: /^newuidmap is not installed$/,
    remedy: ["# install the package that has newuidmap"],
  },
  {
    name: "newuidmap without its setuid bit",
    changes: withFacts({ newuidmap: { path: "/usr/bin/newuidmap", privileged: false } }),
    subject: "id programs",
    level: "missing",
    message: /^\/usr\/bin\/newuidmap has neither the setuid bit nor a file capability$/,
    remedy: ["chmod u+s /usr/bin/newuidmap"],
  },
  {
    name: "no_new_privs on the caller",
    changes: withSurvey({ noNewPrivileges: true }),
    subject: "id programs",
    level: "missing",
    message: /^no_new_privs is set/,
    remedy: ["# start pycri from a session or service without it (systemd: NoNewPrivileges=no)"],
  },
  {
    name: "no subordinate ids",
    changes: withFacts({ subuid: [], subgid: [] }),
    subject: "subordinate ids",
    level: "missing",
    message: /^\/etc\/subuid and \/etc\/subgid grant no ids to "anna"$/,
    remedy: ["usermod --add-subuids 165536-231071 --add-subgids 165536-231071 anna"],
  },
  {
    name: "subordinate user ids only",
    changes: withFacts({ subgid: [] }),
    subject: "subordinate ids",
    level: "missing",
    message: /^\/etc\/subgid grants no ids to "anna"$/,
    remedy: ["usermod --add-subgids 165536-231071 anna"],
  },
  {
    name: "no subordinate ids for a user without a name",
    changes: withFacts({ subuid: [], subgid: [], userName: null }),
    subject: "subordinate ids",
    level: "missing",
    message: /grant no ids to "1000"$/,
    remedy: ["echo 1000:165536:65536 >>/etc/subuid", "echo 1000:165536:65536 >>/etc/subgid"],
  },
  {
    name: "too few subordinate ids",
    changes: withFacts({ subuid: [{ start: 100_000, count: 1000 }] }),
    subject: "subordinate ids",
    level: "optional",
    message: /^"anna" has 1000 subordinate uids; images use ids up to 65534$/,
    remedy: ["usermod --add-subuids 165536-231071 anna"],
  },
  {
    name: "a kernel without seccomp filters",
    changes: withSurvey({ seccompActions: [] }),
    subject: "seccomp",
    level: "missing",
    message: /takes no seccomp filters/,
    remedy: [
      "# boot a kernel with CONFIG_SECCOMP_FILTER=y, or run without a filter: --security-opt seccomp=unconfined",
    ],
  },
  {
    name: "vm.memfd_noexec=2",
    changes: { survey: withSysctl("vm.memfd_noexec", 2) },
    subject: "helper",
    level: "missing",
    message: /^vm\.memfd_noexec is 2/,
    remedy: persistent("vm.memfd_noexec", 1),
  },
  {
    name: "no overlayfs at all",
    changes: { ...withFacts({ fileSystems: ["tmpfs"] }), trial: { outcome: "runs", overlay: false } },
    subject: "overlay",
    level: "missing",
    message: /has no overlayfs/,
    remedy: ["modprobe overlay"],
  },
  {
    name: "no overlayfs in user namespaces, and no fuse-overlayfs",
    changes: {
      trial: { outcome: "runs", overlay: false },
      ...withSurvey({ devices: { ...survey.devices, "/dev/fuse": "missing" } }),
    },
    subject: "overlay",
    level: "missing",
    message: /root filesystems are copied$/,
    remedy: ["apt-get install -y fuse-overlayfs", "modprobe fuse"],
  },
  {
    name: "fuse-overlayfs without /dev/fuse",
    changes: {
      trial: { outcome: "runs", overlay: false },
      ...withSurvey({
        devices: { ...survey.devices, "/dev/fuse": "denied" },
        programs: { ...survey.programs, "fuse-overlayfs": "/usr/bin/fuse-overlayfs" },
      }),
    },
    subject: "overlay",
    level: "missing",
    message: /root filesystems are copied$/,
    remedy: ["chmod 666 /dev/fuse"],
  },
  {
    name: "fuse-overlayfs in place of overlayfs",
    changes: { trial: { outcome: "runs", overlay: false }, ...withFacts({ fuseOverlayfs: "/usr/bin/fuse-overlayfs" }) },
    subject: "overlay",
    level: "optional",
    message: /\/usr\/bin\/fuse-overlayfs does it instead, slower$/,
    remedy: ["# boot a kernel of 5.11 or newer"],
  },
  {
    name: "controllers that systemd does not hand down",
    changes: { cgroup: { manager: "systemd", controllers: ["memory", "pids"], lack: null } },
    subject: "cgroup controllers",
    level: "missing",
    message: /^You are not given cpu \(by systemd\)$/,
    remedy: [
      "mkdir -p /etc/systemd/system/user@.service.d",
      "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf",
      "systemctl daemon-reload",
      "# then log in again",
    ],
  },
  {
    name: "controllers that few limits need",
    changes: { cgroup: { manager: "systemd", controllers: ["cpu", "memory", "pids"], lack: null } },
    subject: "cgroup controllers",
    level: "optional",
    message: /^You are not given cpuset, io \(by systemd\)$/,
    remedy: [
      "mkdir -p /etc/systemd/system/user@.service.d",
      "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf",
      "systemctl daemon-reload",
      "# then log in again",
    ],
  },
  {
    name: "no systemd of the user's",
    changes: {
      cgroup: {
        manager: "disabled",
        controllers: [],
        lack: {
          reason: 'your cgroup "/x" is not delegated to you',
          remedy: "`loginctl enable-linger anna` starts one that stays without a login",
        },
      },
    },
    subject: "cgroup controllers",
    level: "missing",
    message: /^No limit can be set: your cgroup "\/x" is not delegated to you$/,
    remedy: ["loginctl enable-linger anna"],
  },
  {
    name: "v1 hierarchies that nobody delegated",
    changes: {
      facts: {
        ...anna,
        cgroup: {
          layout: "v1",
          v1: [
            { controller: "cpu", mountPoint: "/sys/fs/cgroup/cpu,cpuacct", path: "/" },
            { controller: "cpuacct", mountPoint: "/sys/fs/cgroup/cpu,cpuacct", path: "/" },
            { controller: "memory", mountPoint: "/sys/fs/cgroup/memory", path: "/" },
            { controller: "name=systemd", mountPoint: "/sys/fs/cgroup/systemd", path: "/" },
          ],
          v2: null,
        },
      },
      cgroup: {
        manager: "disabled",
        controllers: [],
        lack: { reason: "no cgroup is delegated to you", remedy: "prose" },
      },
    },
    subject: "cgroup controllers",
    level: "missing",
    message: /^No limit can be set: no cgroup is delegated to you$/,
    remedy: [
      "for cgroup in /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup/memory; do mkdir -p $cgroup/pycri/1000 && chown 1000 $cgroup/pycri/1000; done",
    ],
  },
  {
    name: "no XDG_RUNTIME_DIR, though there is a directory",
    changes: withSurvey({ runtimeDirectory: { value: null, usable: false, candidate: "/run/user/1000" } }),
    subject: "runtime directory",
    level: "optional",
    message: /^XDG_RUNTIME_DIR is not set; /,
    remedy: ["export XDG_RUNTIME_DIR=/run/user/1000"],
  },
  {
    name: "somebody else's XDG_RUNTIME_DIR",
    changes: withSurvey({ runtimeDirectory: { value: "/run/user/0", usable: false, candidate: null } }),
    subject: "runtime directory",
    level: "optional",
    message: /^XDG_RUNTIME_DIR is "\/run\/user\/0", which is not yours alone; /,
    remedy: ["loginctl enable-linger anna", "# then, as yourself: export XDG_RUNTIME_DIR=/run/user/1000"],
  },
  {
    name: "no XDG_RUNTIME_DIR and no systemd",
    changes: withSurvey({
      systemd: false,
      lingering: null,
      runtimeDirectory: { value: null, usable: false, candidate: null },
    }),
    subject: "runtime directory",
    level: "optional",
    message: /is used instead$/,
    remedy: ["export XDG_RUNTIME_DIR=/home/anna/.run-1000", 'mkdir -p -m 0700 "$XDG_RUNTIME_DIR"'],
  },
  {
    name: "no lingering",
    changes: withSurvey({ lingering: false }),
    subject: "lingering",
    level: "optional",
    message: /when you log out$/,
    remedy: ["loginctl enable-linger anna"],
  },
  {
    name: "no /dev/net/tun",
    changes: withSurvey({ devices: { ...survey.devices, "/dev/net/tun": "missing" } }),
    subject: "network device",
    level: "optional",
    message: /^\/dev\/net\/tun is missing/,
    remedy: ["modprobe tun"],
  },
  {
    name: "a closed /dev/net/tun",
    changes: withSurvey({ devices: { ...survey.devices, "/dev/net/tun": "denied" } }),
    subject: "network device",
    level: "optional",
    message: /^\/dev\/net\/tun is closed to you/,
    remedy: ["chmod 666 /dev/net/tun"],
  },
  {
    name: "no network program",
    changes: withSurvey({ programs: { ...survey.programs, pasta: null } }),
    subject: "network program",
    level: "optional",
    message: /^Neither pasta nor slirp4netns is installed/,
    remedy: ["apt-get install -y passt"],
  },
  {
    name: "a container that does not start, for whatever reason",
    changes: nothingRuns("mount", "EPERM"),
    subject: "container",
    level: "missing",
    message: /^Cannot mount: EPERM$/,
    remedy: ["# A hint."],
  },
  {
    name: "a container that starts with a single id only",
    changes: { trial: refused("runIdMapTools", "EPERM"), singleIdTrial: { outcome: "runs", overlay: true } },
    subject: "container",
    level: "missing",
    message: /^Only a container with a single id starts: Cannot runIdMapTools: EPERM$/,
    remedy: ["# A hint."],
  },
];

for (const { name, changes, subject, level, message, remedy } of CASES) {
  test(`${name}: ${subject} ${level}`, () => {
    const finding = find(changes, subject);
    assert.equal(finding?.level, level);
    assert.match(finding.message, message);
    assert.deepEqual(finding.remedy, remedy);
    assert.equal(isFullRunPossible(judgeHost({ ...whole, ...changes })), level !== "missing");
  });
}

test("a switch that looks wrong is not reported when a container starts all the same", () => {
  for (const [name, value] of [
    ["kernel.unprivileged_userns_clone", 0],
    ["kernel.apparmor_restrict_unprivileged_userns", 1],
  ] as const) {
    assert.equal(find({ survey: withSysctl(name, value) }, "user namespaces")?.level, "ok");
  }
});

test("the container's failure is not blamed on itself when something above explains it", () => {
  const changes = { survey: withSysctl("user.max_user_namespaces", 0), ...nothingRuns("clone", "ENOSPC") };
  const finding = find(changes, "container");
  assert.deepEqual([finding?.level, finding?.remedy], ["missing", []]);
  assert.match(finding?.message ?? "", /; mend the above first$/);
});

test("root needs neither id programs nor subordinate ids, and no lingering", () => {
  const changes = { facts: { ...root, newuidmap: null, newgidmap: null }, ...withSurvey({ lingering: false }) };
  assert.deepEqual(
    judgeHost({ ...whole, ...changes })
      .filter(({ level }) => level !== "ok")
      .map(({ subject }) => subject),
    [],
  );
  assert.equal(find(changes, "lingering"), undefined);
});

test("every remedy that is no command says so", () => {
  for (const { changes } of CASES) {
    for (const { remedy } of judgeHost({ ...whole, ...changes })) {
      for (const line of remedy) assert.match(line, /^(?:# \S|[a-z-]+ )/);
    }
  }
});
