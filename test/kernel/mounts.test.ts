/** Volumes, tmpfs and devices, and that no symlink in a root filesystem leads a mount outside. */
import assert from "node:assert/strict";
import {
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";
import { home, makeOwned, scratch } from "../support/scratch.ts";

const volume = makeOwned(join(scratch, "volume"));
writeFileSync(join(volume, "file"), "contents\n");
lchownSync(join(volume, "file"), caller.uid, caller.gid);

kernelTest("-v binds a directory: the same files, writable, owned by the container's root", async () => {
  assert.equal(
    await inside(["-v", `${volume}:/data`], "cat /data/file; stat -c %u:%g /data/file; echo new >/data/new"),
    "contents\n0:0",
  );
  assert.equal(readFileSync(join(volume, "new"), "utf8"), "new\n");
});

kernelTest("-v …:ro refuses writes with EROFS, submounts included", async () => {
  const { status, stderr } = await runScript(["-v", `${volume}:/data:ro`], "echo x >/data/file");
  assert.equal(status, 1);
  assert.match(stderr, /Read-only file system/);
  // Without the filter it is the capabilities that hold it: changing a mount takes CAP_SYS_ADMIN.
  const lifted = await runScript(
    ["-v", `${volume}:/data:ro`, "--security-opt=seccomp=unconfined"],
    "mount -o remount,bind,rw /data; echo x >/data/file",
  );
  assert.notEqual(lifted.status, 0, "a read-only volume was made writable from inside");
});

kernelTest("-v makes a missing source directory, --mount refuses it", async () => {
  const missing = join(volume, "made");
  assert.equal(await inside(["-v", `${missing}:/data`], "test -d /data && echo there"), "there");
  assert.equal(existsSync(missing), true);
  const refused = await runScript([`--mount=type=bind,source=${volume}/nowhere,target=/data`], "true");
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /nowhere/);
});

kernelTest("--mount type=bind of a file, at a target that did not exist", async () => {
  assert.equal(
    await inside([`--mount=type=bind,src=${volume}/file,dst=/etc/deep/er/file,readonly`], "cat /etc/deep/er/file"),
    "contents",
  );
});

kernelTest("a relative source is the caller's", async () => {
  assert.equal(await inside(["-v", "./here:/data"], "ls -d /data", { cwd: home }), "/data");
  rmSync(join(home, "here"), { recursive: true });
});

kernelTest("--tmpfs takes size and mode", async () => {
  assert.equal(
    await inside(
      ["--tmpfs=/t:size=1m,mode=1770"],
      "df -k /t | awk 'NR == 2 { print $1, $2 }'; stat -c %a /t; grep ' /t ' /proc/mounts | cut -d' ' -f4 | grep -o 'nosuid\\|nodev' | sort",
    ),
    "tmpfs 1024\n1770\nnodev\nnosuid",
  );
});

kernelTest("--mount type=tmpfs", async () => {
  assert.equal(
    await inside(["--mount=type=tmpfs,target=/t,tmpfs-size=2m"], "df -k /t | awk 'NR == 2 { print $2 }'"),
    "2048",
  );
});

kernelTest(
  "idmap shows a volume's owners in a container of other ids, and is refused to those whom the kernel refuses it",
  async () => {
    const folder = join(scratch, "idmapped");
    mkdirSync(folder);
    writeFileSync(join(folder, "file"), "");
    chownSync(join(folder, "file"), 33, 34);
    const owner = async (option: string): Promise<string> => {
      const { stdout, stderr } = await pycri(
        ["run", "--userns=auto", `-v=${folder}:/tmp/data${option}`, "host", "stat", "-c", "%u %g", "/tmp/data/file"],
        { asSelf: true, env: { XDG_RUNTIME_DIR: undefined } },
      );
      assert.equal(stderr, "");
      return stdout.trim();
    };
    assert.equal(await owner(":idmap"), "33 34");
    assert.equal(await owner(""), "65534 65534", "control");
    const refused = await runScript(["-v", `${volume}:/data:idmap`], "true");
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /cannot idmap the volume .*\nhint: .*CAP_SYS_ADMIN/);
  },
  ["root"],
);

kernelTest("propagation is private unless asked otherwise", async () => {
  const options = (path: string): string => `awk '$5 == "${path}" { print $7 }' /proc/self/mountinfo`;
  assert.equal(await inside(["-v", `${volume}:/data`], options("/data")), "-");
  const slave = await inside(["-v", `${volume}:/data:rslave`], options("/data"));
  assert.match(slave, /^(-|master:\d+)$/);
});

kernelTest("--device gives the device and no more", async () => {
  assert.equal(await inside(["--device=/dev/zero:/dev/nought"], "head -c 3 /dev/nought | wc -c"), "3");
  const missing = await runScript(["--device=/dev/no-such-device"], "true");
  assert.equal(missing.status, 125);
});

kernelTest("a volume carries no set-id bits or devices into the container's reach by default", async () => {
  const flags = (
    await inside(["-v", `${volume}:/data`], "awk '$5 == \"/data\" { print $6 }' /proc/self/mountinfo")
  ).split(",");
  assert.ok(flags.includes("nodev"), flags.join());
});

/** Where each planted symlink would lead if it were followed by the host. */
const trap = makeOwned(join(scratch, "trap"));

for (const [name, target] of [
  ["an absolute symlink", trap],
  ["a relative symlink through ..", `../../../../../../../../../../../../..${trap}`],
  ["a symlink to /proc/1/root", `/proc/1/root${trap}`],
  ["a symlink to /proc/self/cwd", `/proc/self/cwd/../../../../../../..${trap}`],
] as const) {
  kernelTest(`a mount target that is ${name} stays inside`, async () => {
    const root = makeBusyboxRoot(`trap-${name.replaceAll(/\W+/g, "-")}`);
    symlinkSync(target, join(root, "link"));
    mkdirSync(join(root, "parent"));
    symlinkSync(target, join(root, "parent/link"));
    for (const path of ["/link", "/parent/link", "/link/below", "/parent/link/deep/below"]) {
      const { status, stdout, stderr } = await pycri([
        "run",
        "--rw",
        "-v",
        `${volume}:${path}`,
        root,
        "cat",
        `${path}/file`,
      ]);
      // Either it resolved within the root, where the same path finds it, or it was refused; nothing reached the trap.
      assert.ok((status === 0 && stdout === "contents\n") || status === 125, `${path}: ${status} ${stdout} ${stderr}`);
      assert.equal(await inside(["-v", `${trap}:/t`], "ls -A /t"), "", `${path} made something in the trap`);
    }
  });
}

kernelTest("a root filesystem whose /proc, /dev or /sys is a symlink mounts nothing outside", async () => {
  for (const folder of ["proc", "dev", "sys"]) {
    const root = makeBusyboxRoot(`symlinked-${folder}`);
    rmSync(join(root, folder), { recursive: true });
    symlinkSync(trap, join(root, folder));
    lchownSync(join(root, folder), caller.uid, caller.gid);
    const { status } = await pycri(["run", root, "true"]);
    assert.ok(status === 0 || status === 125, String(status));
    assert.equal(await inside(["-v", `${trap}:/t`], "ls -A /t"), "");
  }
});
