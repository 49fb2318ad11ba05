/** Root filesystems that overlayfs cannot lie over. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { commandWithFuse } from "../support/fuse-device.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";
import { makeOwned, pycriCommand, scratch } from "../support/scratch.ts";

kernelTest(
  "with a mount below it the root filesystem is copied, with one warning, and stays as it was",
  async () => {
    const root = makeBusyboxRoot("mounted-below");
    const below = join(root, "below");
    mkdirSync(below);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", below]);
    try {
      const script = "echo new >/etc/new && cat /etc/new && test -d /below && stat -c %u /bin/busybox";
      const { status, stdout, stderr } = await pycri(["run", root, "sh", "-c", script]);
      assert.deepEqual({ status, stdout }, { status: 0, stdout: "new\n0\n" });
      assert.match(
        stderr,
        /^pycri: warning: overlayfs cannot be mounted here; (?:copying the root filesystem into memory|using fuse-overlayfs, which is slower)\n$/,
      );
      assert.equal(existsSync(join(root, "etc/new")), false);

      const upper = makeOwned(join(scratch, "upper-below"));
      const kept = await pycri(["run", "--pid=host", "--upper", upper, root, "true"]);
      assert.equal(kept.status, 125, "changes that are to be kept are never written to a copy");
      assert.match(kept.stderr, /annot mount "overlay".*\n.*--rw/);
    } finally {
      execFileSync("umount", [below]);
    }
  },
  ["root"],
);

kernelTest(
  "fuse-overlayfs takes the place of overlayfs where /dev/fuse can be opened, and ends with the container",
  async () => {
    const root = makeBusyboxRoot("mounted-below-fuse");
    const below = join(root, "below");
    mkdirSync(below);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", below]);
    try {
      const script = "echo new >/etc/new && cat /etc/new && awk '$2 == \"/\" { print $3 }' /proc/mounts";
      const { status, stdout, stderr } = await commandWithFuse([...pycriCommand, "run", root, "sh", "-c", script]);
      assert.deepEqual({ status, stdout }, { status: 0, stdout: "new\nfuse.fuse-overlayfs\n" });
      assert.equal(stderr, "pycri: warning: overlayfs cannot be mounted here; using fuse-overlayfs, which is slower\n");
      assert.equal(existsSync(join(root, "etc/new")), false);
    } finally {
      execFileSync("umount", [below]);
    }
  },
  ["root", "fuse"],
);
