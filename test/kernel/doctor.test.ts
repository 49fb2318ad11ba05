/**
 * `pycri doctor` and `pycri info` on this host, as users who lack different things. Each lack is real: made in a user
 * namespace of the caller's own, or by being a user whom nobody has granted anything.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Finding, FindingSubject } from "../../src/engine/doctor/finding.ts";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, type Outcome, pycri } from "../support/run.ts";
import { environment, pycriCommand, runtimeDirectory, scratch } from "../support/scratch.ts";

interface Examination {
  readonly ready: boolean;
  readonly findings: readonly Finding[];
}

function examinationOf({ status, stdout, stderr }: Outcome): Examination {
  assert.equal(stderr, "");
  const examination = JSON.parse(stdout) as Examination;
  const missing = examination.findings.filter(({ level }) => level === "missing");
  assert.equal(examination.ready, missing.length === 0);
  assert.equal(status, examination.ready ? 0 : 1);
  return examination;
}

const find = ({ findings }: Examination, subject: FindingSubject): Finding | undefined =>
  findings.find((finding) => finding.subject === subject);

const DOCTOR = [...pycriCommand, "doctor", "--format=json"] as const;

/** Doctor as the caller's own root in a user namespace, where the caller may change what follows `sh -c`. */
const examineInside = (script: string): Promise<Outcome> =>
  command(["unshare", "--user", "--map-root-user", "sh", "-c", `${script}; exec "$@"`, "sh", ...DOCTOR]);

kernelTest("an ordinary user with subordinate ids can start containers on an overlay", async () => {
  const examination = examinationOf(await pycri(["doctor", "--format=json"]));
  for (const subject of [
    "kernel",
    "user namespaces",
    "id programs",
    "subordinate ids",
    "seccomp",
    "overlay",
    "container",
  ] as const) {
    assert.equal(find(examination, subject)?.level, "ok", subject);
  }
  assert.equal(find(examination, "runtime directory")?.message, join(runtimeDirectory, "pycri"));
  // What this machine lacks besides, the text form says in as many words.
  const text = await pycri(["doctor"]);
  assert.equal(text.status, examination.ready ? 0 : 1);
  assert.match(
    text.stdout,
    examination.ready
      ? /\nA full rootless run is possible\.\n$/
      : /\n(?:One thing is|\d+ things are) missing for a full rootless run\.\n$/,
  );
});

kernelTest(
  "a user without subordinate ids is told the line that grants them",
  () => {
    // Nobody's, and no name's.
    const uid = 64_321;
    const own = join(scratch, "nobody");
    mkdirSync(own, { mode: 0o700 });
    chownSync(own, uid, uid);
    const outcome = spawnSync(DOCTOR[0], DOCTOR.slice(1), {
      uid,
      gid: uid,
      cwd: own,
      env: { ...environment, HOME: own, XDG_RUNTIME_DIR: own },
      encoding: "utf8",
    });
    const examination = examinationOf(outcome);
    const finding = find(examination, "subordinate ids");
    assert.equal(finding?.level, "missing");
    assert.equal(finding.message, `/etc/subuid and /etc/subgid grant no ids to "${uid}"`);
    const [line = ""] = finding.remedy;
    const start = Number(/^echo 64321:(\d+):65536 >>\/etc\/subuid$/.exec(line)?.[1]);
    assert.ok(start >= (caller.subuid?.start ?? 0) + (caller.subuid?.count ?? 0), "the range is free");
    assert.equal(examination.ready, false);
    // A single id is enough to start one.
    assert.equal(find(examination, "container")?.level, "ok");
  },
  ["root"],
);

kernelTest("where user.max_user_namespaces is 0 it is named, with the line that raises it", async () => {
  const examination = examinationOf(await examineInside("echo 0 >/proc/sys/user/max_user_namespaces"));
  const finding = find(examination, "user namespaces");
  assert.deepEqual(
    [finding?.level, finding?.message, finding?.remedy[0]],
    ["missing", "user.max_user_namespaces is 0, which allows none", "sysctl -w user.max_user_namespaces=15000"],
  );
  assert.match(find(examination, "container")?.message ?? "", /ENOSPC.*; mend the above first$/);
});

kernelTest("with no_new_privs set newuidmap is of no use, and that is said", async () => {
  const examination = examinationOf(await command(["setpriv", "--no-new-privs", ...DOCTOR]));
  const finding = find(examination, "id programs");
  assert.equal(finding?.level, "missing");
  assert.match(finding.message, /^no_new_privs is set on this process/);
  assert.equal(examination.ready, false);
});

for (const [what, flags] of [
  ["its one id, where setgroups(2) is denied", ["--map-root-user"]],
  ["all ids of the caller, in two lines of its map", ["--map-root-user", "--map-auto"]],
] as const) {
  kernelTest(`root of a user namespace with ${what} starts containers, too`, async () => {
    const examination = examinationOf(await command(["unshare", "--user", ...flags, ...DOCTOR]));
    assert.equal(find(examination, "container")?.level, "ok");
    const ran = await command(["unshare", "--user", ...flags, ...pycriCommand, "run", busyboxRoot(), "id", "-u"]);
    assert.deepEqual([ran.status, ran.stdout], [0, "0\n"], ran.stderr);
  });
}

kernelTest("info gives the facts as other programs see them", async () => {
  const { status, stdout, stderr } = await pycri(["info", "--format=json"]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const info = JSON.parse(stdout) as {
    kernel: { release: string };
    caller: object;
    ids: { subuid: readonly object[] };
    namespaces: readonly string[];
    cgroup: { manager: string; controllers: readonly string[] };
    paths: { runtimeDirectory: string };
  };
  assert.equal(info.kernel.release, execFileSync("uname", ["-r"], { encoding: "utf8" }).trim());
  assert.deepEqual(info.caller, {
    user: caller.name,
    uid: caller.uid,
    gid: caller.gid,
    rootless: true,
    capabilities: [],
    noNewPrivileges: false,
  });
  assert.deepEqual(info.ids.subuid, [caller.subuid]);
  for (const name of ["user", "mnt", "pid", "net"]) assert.ok(info.namespaces.includes(name));
  assert.equal(info.paths.runtimeDirectory, join(runtimeDirectory, "pycri"));

  const template = await pycri(["info", "--format", "{{.kernel.release}} {{.caller.uid}} {{len .ids.subuid}}"]);
  assert.equal(template.stdout, `${info.kernel.release} ${caller.uid} 1\n`);
  const text = await pycri(["info"]);
  assert.match(text.stdout, new RegExp(`^  user +${caller.name} \\(uid ${caller.uid}, gid ${caller.gid}\\)$`, "m"));
});
