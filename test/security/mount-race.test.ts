/**
 * CVE-2021-30465: a volume shared by two containers; one swaps a directory for a symlink while the other is being set up
 * with a mount below it, and the mount lands on the host's path that the symlink names.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../support/kernel-test.ts";
import { mountsBelow } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf, pycri, startPycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";

const ATTEMPTS = 40;

kernelTest(`${ATTEMPTS} mounts below a target that is being swapped stay inside`, async () => {
  const volume = makeOwned(join(scratch, "shared-volume"));
  const trap = makeOwned(join(scratch, "trap"));
  const swap = `
    cd /v; mkdir -p real; ln -s ${trap} evil; echo ready
    while :; do mv -T real swap 2>/dev/null; mv -T evil real; mv -T real evil; mv -T swap real; done
  `;
  const swapper = startPycri(["run", "-v", `${volume}:/v`, busyboxRoot(), "sh", "-c", swap]);
  assert.ok(swapper.stdout !== null);
  await once(swapper.stdout, "data");
  const ended = outcomeOf(swapper);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { status, stdout, stderr } = await pycri([
      "run",
      "-v",
      `${volume}:/v`,
      "--tmpfs=/v/real/below",
      busyboxRoot(),
      "sh",
      "-c",
      'awk \'$3 == "tmpfs" && $2 ~ "below" { print $2 }\' /proc/mounts',
    ]);
    if (status === 0) assert.match(stdout, /\/below$/m);
    else assert.equal(status, 125, stderr);
    assert.deepEqual(readdirSync(trap), [], "something was made behind the symlink");
    assert.deepEqual(mountsBelow(scratch), []);
  }
  swapper.kill("SIGKILL");
  await ended;
});
