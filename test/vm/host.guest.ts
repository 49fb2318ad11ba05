/**
 * What an administrator decides about rootless containers, seen by ordinary users of the guest: `tester`, who lingers, and
 * `visitor`, who does not. Root makes the decision, pycri always runs as one of them.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";

const PYCRI = "/home/tester/work/dist/pycri.cjs";
const ROOT = "/srv/root";
const RUN = `/usr/local/bin/node ${PYCRI} run`;

for (const folder of ["bin", "dev", "proc", "sys", "tmp"]) mkdirSync(`${ROOT}/${folder}`, { recursive: true });
copyFileSync("/bin/busybox", `${ROOT}/bin/busybox`);
for (const applet of ["sh", "cat", "tail", "true", "cut"]) symlinkSync("busybox", `${ROOT}/bin/${applet}`);
execFileSync("chmod", ["755", "/home/tester"]);

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, ...args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { status, stdout, stderr };
}

/** A login: PAM, a session, the user's own systemd. */
const login = (user: string, line: string): Outcome => run("runuser", "-l", user, "-c", line);

/** A system service with a user's ids: no session, no XDG_RUNTIME_DIR. */
const service = (user: string, line: string, ...properties: readonly string[]): Outcome =>
  run("systemd-run", "--quiet", "--wait", "--pipe", `--uid=${user}`, ...properties, "--", "sh", "-c", line);

const STARVED = { status: 137, stdout: "", stderr: "pycri: killed: out of memory, limit 32 MiB\n" };
const STARVE = `${RUN} --memory=32m ${ROOT} tail /dev/zero`;

test("a user who lingers is served without a login", () => {
  assert.deepEqual(service("tester", STARVE), STARVED);
});

test("a service of a user without systemd is told what starts one", () => {
  const refused = service("visitor", `${RUN} --memory=32m ${ROOT} true`);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /^pycri: cannot apply --memory: your cgroup ".*" is not delegated to you\n/);
  assert.match(refused.stderr, /hint: `loginctl enable-linger visitor` starts one that stays without a login/);
  const named = service("visitor", `${RUN} --cgroup-manager=systemd --memory=32m ${ROOT} true`);
  assert.equal(named.status, 125);
  assert.match(
    named.stderr,
    /cannot use the systemd cgroup manager: no systemd runs for your user\nhint: `loginctl enable-linger visitor`/,
  );
  assert.equal(service("visitor", `${RUN} ${ROOT} true`).status, 0, "without limits it runs");
});

test("a service that is delegated its own cgroup needs no systemd of the user's", () => {
  assert.deepEqual(service("visitor", STARVE, "-p", "Delegate=yes"), STARVED);
});

test("after the remedy it works", () => {
  execFileSync("loginctl", ["enable-linger", "visitor"]);
  execFileSync("systemctl", ["start", "user@1001.service"]);
  assert.deepEqual(service("visitor", STARVE), STARVED);
});

const JOBS = "/sys/fs/cgroup/jobs";

test("a subtree that an administrator hands over serves those who were moved there", () => {
  mkdirSync(JOBS);
  for (const file of ["", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"]) {
    execFileSync("chown", ["tester", `${JOBS}${file}`]);
  }
  const moved = run(
    "sh",
    "-c",
    `echo $$ >${JOBS}/cgroup.procs; exec setpriv --reuid=tester --regid=tester --init-groups ${RUN} --cgroup-manager=cgroupfs --memory=32m ${ROOT} tail /dev/zero`,
  );
  assert.deepEqual(moved, STARVED);
  assert.deepEqual(
    readdirSync(JOBS).filter((name) => /^pycri-[0-9a-f]/.test(name)),
    [],
  );
});

test("who was not moved there is told so", () => {
  const outside = login("tester", `${RUN} --cgroup-manager=cgroupfs --cgroup-parent=/jobs --memory=32m ${ROOT} true`);
  assert.equal(outside.status, 125);
  assert.match(
    outside.stderr,
    /^pycri: cannot use cgroup parent "\/jobs": from your cgroup "\/user\.slice\/.*" the kernel lets you start nothing there\nhint: have root move your shell there first: echo PID >"\/sys\/fs\/cgroup\/jobs\/cgroup\.procs"\n$/,
  );
  assert.deepEqual(
    readdirSync(JOBS).filter((name) => /^pycri-[0-9a-f]/.test(name)),
    [],
  );
});

const BAN = "/proc/sys/kernel/unprivileged_userns_clone";

test(
  "a ban of user namespaces is named with its sysctl",
  { skip: existsSync(BAN) ? false : "this kernel has no such ban" },
  () => {
    writeFileSync(BAN, "0");
    try {
      const banned = login("tester", `${RUN} ${ROOT} true`);
      assert.equal(banned.status, 125);
      assert.match(banned.stderr, /hint: .*kernel\.unprivileged_userns_clone=1/);
    } finally {
      writeFileSync(BAN, "1");
    }
    assert.equal(login("tester", `${RUN} ${ROOT} true`).status, 0);
  },
);

const PROFILES = `abi <abi/4.0>,
profile pycri-no-userns flags=(attach_disconnected) {
  file, capability, network, mount, umount, remount, pivot_root, ptrace, signal, unix, dbus, mqueue, io_uring, change_profile,
}
profile pycri-inside flags=(attach_disconnected) {
  file, capability, network, mount, umount, remount, pivot_root, ptrace, signal, unix, userns,
}
`;

test("an AppArmor profile without userns denies containers, and is named", () => {
  writeFileSync("/run/profiles", PROFILES);
  execFileSync("apparmor_parser", ["--replace", "/run/profiles"]);
  const denied = login("tester", `aa-exec -p pycri-no-userns -- ${RUN} ${ROOT} true`);
  assert.equal(denied.status, 125);
  assert.match(denied.stderr, /^pycri: cannot create the namespaces .*: EACCES\nhint: .*an AppArmor profile/);
});

test("an AppArmor profile is applied to the container", () => {
  const label = "cat /proc/self/attr/current";
  const applied = login("tester", `${RUN} --security-opt apparmor=pycri-inside ${ROOT} ${label}`);
  assert.deepEqual(applied, { status: 0, stdout: "pycri-inside (enforce)\n", stderr: "" });
  assert.equal(login("tester", `${RUN} ${ROOT} ${label}`).stdout, "unconfined\n");
});

after(() => {
  const left = execFileSync("find", ["/sys/fs/cgroup", "-name", "pycri-[0-9a-f]*"], { encoding: "utf8" });
  assert.equal(left, "", "cgroups were left behind");
});
