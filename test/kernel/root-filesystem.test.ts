/** The container's view of files: what is there, what is hidden, where writes go, and that no path leads out. */
import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot, makeBusyboxRoot } from "../support/root-filesystem.ts";
import { command, pycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";

/** Proof that nothing of the host's own root can be named. */
const MARKER = join(scratch, "outside-marker");
writeFileSync(MARKER, "outside\n");

kernelTest("no path reaches the old root", async () => {
  const unconfined = ["--cap-add=ALL", "--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"];
  for (const flags of [[], unconfined]) {
    const script = `
      for up in .. ../../../../../.. /.. /proc/1/root /proc/self/root/.. /proc/self/cwd/../..; do
        test -e "$up${MARKER}" && echo "found through $up"
      done
      probe chroot >/dev/null
      find / -xdev -name outside-marker 2>/dev/null
      awk '{ print $5 }' /proc/self/mountinfo | grep -E '^/(old|oldroot|stage)' || true
    `;
    assert.equal(await inside(flags, script), "");
  }
  // Control: outside, the same test finds it.
  assert.equal((await command(["test", "-e", `/..${MARKER}`])).status, 0);
});

kernelTest("a chroot with every capability, once inside, leads nowhere else", async () => {
  const script = `
    mkdir -p /tmp/jail && cd / && chroot /tmp/jail /nothing 2>/dev/null
    cd .. && cd .. && ls -d ${MARKER} 2>/dev/null || echo contained
  `;
  assert.equal(await inside(["--cap-add=ALL", "--security-opt=seccomp=unconfined"], script), "contained");
});

kernelTest("mounts are private: nothing of the container's appears outside", async () => {
  const before = readFileSync("/proc/self/mountinfo", "utf8");
  await inside(
    ["--tmpfs=/tmp", "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined"],
    "mount -t tmpfs none /home && mount | grep -c ' /home '",
  );
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), before);
  assert.equal(await inside([], "grep -cE ' (shared|master):' /proc/self/mountinfo || true"), "0");
});

kernelTest("writes are discarded", async () => {
  assert.equal(await inside([], "echo new >/etc/new && rm /etc/passwd && cat /etc/new"), "new");
  assert.deepEqual(readdirSync(join(busyboxRoot(), "etc")).toSorted(), ["group", "hostname", "passwd"]);
});

kernelTest("--upper keeps the writes beside the root filesystem", async () => {
  const upper = makeOwned(join(scratch, "upper"));
  await inside([`--upper=${upper}`], "echo kept >/etc/new; rm /etc/hostname");
  assert.equal(await inside([`--upper=${upper}`], "cat /etc/new; test -e /etc/hostname || echo gone"), "kept\ngone");
  assert.equal(existsSync(join(busyboxRoot(), "etc/new")), false);
  assert.equal(existsSync(join(busyboxRoot(), "etc/hostname")), true);
  await command(["unshare", "--map-root-user", "rm", "-rf", upper]);
});

kernelTest("--rw writes to the root filesystem itself", async () => {
  const root = makeBusyboxRoot("writable");
  const { status } = await pycri(["run", "--rw", root, "sh", "-c", "echo through >/etc/new"]);
  assert.equal(status, 0);
  assert.equal(readFileSync(join(root, "etc/new"), "utf8"), "through\n");
});

kernelTest("--read-only refuses writes with EROFS, and leaves /tmp of --tmpfs writable", async () => {
  const { status, stderr } = await runScript(["--read-only"], "echo x >/etc/new");
  assert.equal(status, 1);
  assert.match(stderr, /Read-only file system/);
  assert.equal(await inside(["--read-only", "--tmpfs=/tmp"], "echo x >/tmp/new && cat /tmp/new"), "x");
});

kernelTest("/dev has the OCI devices, usable, and no other node", async () => {
  const output = await inside(
    [],
    "cd /dev; ls -1A; test -c null -a -c zero -a -c full -a -c random -a -c urandom -a -c tty && echo complete",
  );
  const names = output.split("\n");
  assert.equal(names.pop(), "complete");
  assert.deepEqual(
    names.toSorted(),
    [
      "fd",
      "full",
      "mqueue",
      "null",
      "ptmx",
      "pts",
      "random",
      "shm",
      "stderr",
      "stdin",
      "stdout",
      "tty",
      "urandom",
      "zero",
    ].toSorted(),
  );
  assert.equal(
    await inside([], "head -c 4 /dev/zero | wc -c; echo lost >/dev/null; readlink /dev/ptmx"),
    "4\npts/ptmx",
  );
  assert.match((await runScript([], "echo x >/dev/full")).stderr, /No space left/);
});

kernelTest("--shm-size limits /dev/shm", async () => {
  assert.equal(await inside([], "df -k /dev/shm | awk 'NR == 2 { print $2 }'"), String(64 * 1024));
  assert.equal(await inside(["--shm-size=2m"], "df -k /dev/shm | awk 'NR == 2 { print $2 }'"), "2048");
});

kernelTest("masked paths are empty, read-only paths refuse writes", async () => {
  assert.equal(
    await inside(
      [],
      "cat /proc/timer_list /proc/keys 2>/dev/null | wc -c; ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v : | wc -w",
    ),
    "0\n0",
  );
  for (const path of ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"]) {
    if (!existsSync(path)) continue;
    const { stderr } = await runScript(["--cap-add=ALL"], `echo x >${path}`);
    assert.match(stderr, /Read-only file system/, path);
  }
});

kernelTest("unmask=ALL shows them again, mask= hides more", async () => {
  const unmasked = await inside(
    ["--security-opt=unmask=ALL"],
    "grep -c . /proc/keys || true; awk '$5 ~ \"^/proc/.\" { print $5 }' /proc/self/mountinfo",
  );
  assert.doesNotMatch(unmasked, /\/proc\//);
  assert.equal(await inside(["--security-opt=mask=/etc/group"], "wc -c </etc/group"), "0");
});

kernelTest("/sys is read-only, also with the host's network", async () => {
  for (const flags of [[], ["--net=host"]]) {
    assert.match(
      (await runScript([...flags, "--cap-add=ALL"], "echo x >/sys/kernel/uevent_seqnum")).stderr,
      /Read-only file system|Permission denied/,
    );
    assert.match(await inside(flags, "awk '$2 == \"/sys\" { print $4 }' /proc/mounts | tail -n 1"), /^ro,/);
  }
});

kernelTest("hidepid hides other users' processes", async () => {
  // More than one command, so that a process of root's stays beside alice's.
  const count = "su alice -c 'ls -d /proc/[0-9]* | wc -l'; true";
  assert.ok(Number(await inside([], count)) > Number(await inside(["--security-opt=proc-opts=hidepid=2"], count)));
});

kernelTest("the root `host` shows the host's files read-only, with private places and without homes", async () => {
  const script = `
    test -x /bin/sh && echo shell
    ls -A /tmp /run | grep -v : | wc -w
    test -e ${MARKER} || echo hidden
    ls -A /home /root 2>/dev/null | grep -v : | wc -w
    cat /etc/shadow 2>/dev/null | wc -c
  `;
  const { status, stdout, stderr } = await pycri(["run", "host", "/bin/sh", "-c", script]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.trim()),
    ["shell", "0", "hidden", "0", "0"],
  );
});

kernelTest(
  "a root filesystem with files of other owners shows them",
  async () => {
    const root = makeBusyboxRoot("owners");
    mkdirSync(join(root, "srv"));
    writeFileSync(join(root, "srv/file"), "");
    if (process.getuid?.() === 0 && caller.subuid !== null && caller.subgid !== null) {
      chownSync(join(root, "srv/file"), caller.subuid.start + 6, caller.subgid.start + 6);
      const { stdout } = await pycri(["run", root, "stat", "-c", "%u:%g", "/srv/file"]);
      assert.equal(stdout, "7:7\n");
    }
  },
  ["root"],
);
