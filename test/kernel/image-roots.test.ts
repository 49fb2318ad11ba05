/** Root filesystems of images, of several layers: an overlay, and what stands in where none can be mounted. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { writeImageArchive } from "../support/image-archive.ts";
import { commandWithFuse } from "../support/fuse-device.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { pycri } from "../support/run.ts";
import { home, makeOwned, pycriCommand, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const layers = join(home, ".local/share/pycri/layers");

before(async () => {
  const archive = join(makeOwned(join(scratch, "archive")), "image.tar");
  const second = tar([
    { name: "data/", type: "5", mode: 0o750, uid: 3, gid: 4 },
    { name: "data/.wh.gone" },
    { name: "data/owned", data: "owned\n", uid: 33, gid: 44, mode: 0o4755, mtime: 1_600_000_000 },
    { name: "data/second-name", type: "1", linkName: "data/owned" },
    { name: "data/described", data: "", pax: { "SCHILY.xattr.user.note": "text" } },
    { name: "opaque/", type: "5", mode: 0o755 },
    { name: "opaque/old", data: "old\n" },
  ]);
  const third = tar([
    { name: "opaque/", type: "5", mode: 0o755 },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/new", data: "new\n" },
    { name: "data/", type: "5", mode: 0o750, uid: 3, gid: 4 },
    { name: "data/kept", type: "2", linkName: "owned" },
  ]);
  writeImageArchive(archive, [
    { name: "docker.io/library/layered:latest", layers: [busyboxLayer(), second, third], config: {} },
  ]);
  const { status, stderr } = await pycri(["load", "-i", archive]);
  assert.equal(status, 0, stderr);
});

const SCRIPT = [
  "ls /data /opaque",
  "stat -c '%n %u:%g %a %h %Y' /data/owned",
  "stat -c '%u:%g %a' /data /",
  "readlink /data/kept",
  "cat /data/second-name /opaque/new",
  "echo written >/data/kept && cat /data/owned",
].join("; ");

const EXPECTED = `/data:
described
kept
owned
second-name

/opaque:
new
/data/owned 33:44 4755 2 1600000000
3:4 750
0:0 755
owned
owned
new
written
`;

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
  return stdout;
};

kernelTest("the layers are one tree", async () => {
  assert.equal(await ok("run", "layered", "sh", "-c", SCRIPT), EXPECTED);
});

kernelTest("keep-id and nomap show the same owners, without a copy in memory", async () => {
  const before = readdirSync(layers).length;
  for (const userns of ["keep-id:uid=1000,gid=1000", "nomap"]) {
    const args = ["run", "--userns", userns, "--user", "0", "layered", "sh", "-c", SCRIPT];
    assert.equal(await ok(...args), EXPECTED);
  }
  // Unpacked once more for each mapping, for all containers that use it.
  assert.equal(readdirSync(layers).length, before + 2 * 3);
});

/** Does `use` while something is mounted below each layer that has `/opaque`: no overlay lies over such a tree. */
async function whereNoOverlayCanBe(use: () => Promise<void>): Promise<void> {
  const below = readdirSync(layers)
    .map((name) => join(layers, name, "diff/opaque"))
    .filter((path) => existsSync(path))
    .map((path) => join(path, "mounted"));
  for (const path of below) {
    mkdirSync(path);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", path]);
  }
  try {
    await use();
  } finally {
    for (const path of below) {
      execFileSync("umount", [path]);
      execFileSync("rmdir", [path]);
    }
  }
}

/** The mounts are in `/opaque`. */
const LISTED = SCRIPT.replace("/opaque;", "/opaque/new;");
const EXPECTED_LISTED = EXPECTED.replace("\n/opaque:\nnew\n", "").replace("/data:", "/opaque/new\n\n/data:");

kernelTest(
  "where no overlay can be mounted fuse-overlayfs stacks the layers, with one warning",
  () =>
    whereNoOverlayCanBe(async () => {
      const script = `${LISTED}; cat /proc/mounts`;
      const { stdout, stderr } = await commandWithFuse([...pycriCommand, "run", "layered", "sh", "-c", script]);
      assert.equal(stderr, "pycri: warning: overlayfs cannot be mounted here; using fuse-overlayfs, which is slower\n");
      assert.equal(stdout.slice(0, EXPECTED_LISTED.length), EXPECTED_LISTED);
      const mounts = stdout.slice(EXPECTED_LISTED.length).split("\n");
      const [root] = mounts.filter((line) => line.split(" ")[1] === "/");
      assert.equal(root?.split(" ")[2], "fuse.fuse-overlayfs");
    }),
  ["root", "fuse"],
);

kernelTest(
  "and without /dev/fuse or a PID namespace they are copied into one tree, with one warning",
  () =>
    whereNoOverlayCanBe(async () => {
      // With the host's PID namespace fuse-overlayfs is out of the question.
      const { stdout, stderr } = await pycri(["run", "--pid=host", "layered", "sh", "-c", LISTED]);
      assert.match(
        stderr,
        /^pycri: warning: overlayfs cannot be mounted here; copying the root filesystem into memory\n$/,
      );
      assert.equal(stdout, EXPECTED_LISTED);
    }),
  ["root"],
);
