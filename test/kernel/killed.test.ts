/**
 * pycri killed with SIGKILL at any moment of its life leaves no process, no mount and no file behind. The moments are
 * spread over the whole start, the run and the end of a container, so that every step is hit.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { kernelTest, newFiles } from "../support/kernel-test.ts";
import { assertNoProcesses, descendants, mountsBelow, pathsBelow, until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf, pycri, startPycri } from "../support/run.ts";
import { runtimeDirectory, scratch } from "../support/scratch.ts";

const KILLS = 200;

/** Low-discrepancy fractions of [0, 1): evenly spread, the same every time. */
const fraction = (index: number): number => (index * 0.618_033_988_749_894_9) % 1;

async function millisecondsOfARun(): Promise<number> {
  const begin = performance.now();
  assert.equal((await pycri(["run", busyboxRoot(), "true"])).status, 0);
  return performance.now() - begin;
}

kernelTest(`${KILLS} kills spread over the life of a container leave nothing behind`, async (context) => {
  await millisecondsOfARun();
  const whole = Math.max(await millisecondsOfARun(), await millisecondsOfARun());
  const before = pathsBelow(runtimeDirectory);
  let killed = 0;
  for (let index = 0; index < KILLS; index++) {
    const child = startPycri(["run", "--name=victim", "--rm", "-v", `${scratch}:/v`, busyboxRoot(), "true"]);
    const outcome = outcomeOf(child);
    await setTimeout(fraction(index) * whole * 1.1);
    child.kill("SIGKILL");
    if ((await outcome).signal === "SIGKILL") killed++;
    await assertNoProcesses();
  }
  assert.deepEqual(mountsBelow(scratch), []);
  assert.equal((await pycri(["run", "--name=victim", "--rm", busyboxRoot(), "true"])).status, 0, "the name is free");
  assert.deepEqual(newFiles(before), []);
  assert.ok(killed >= KILLS / 2, `only ${killed} of ${KILLS} were killed before they ended by themselves`);
  context.diagnostic(`${killed} of ${KILLS} killed within ${whole.toFixed(0)} ms`);
});

kernelTest("any one process of a running container killed ends all of them, or is replaced", async () => {
  const roles = await countRoles();
  for (let index = 0; index < roles; index++) {
    const child = startPycri(["run", busyboxRoot(), "sh", "-c", "echo ready; exec sleep 1000"]);
    assert.ok(child.stdout !== null);
    await once(child.stdout, "data");
    const outcome = outcomeOf(child);
    const victim = descendants()[index];
    assert.ok(victim !== undefined);
    process.kill(victim.pid, "SIGKILL");
    if (victim.name === "pycri-janitor") {
      // The container goes on under a new guard, which does what the old one would have.
      await until("another janitor", () =>
        descendants().some(({ pid, name }) => name === victim.name && pid !== victim.pid),
      );
      child.kill("SIGKILL");
    }
    await outcome;
    await assertNoProcesses();
  }
});

async function countRoles(): Promise<number> {
  const child = startPycri(["run", busyboxRoot(), "sh", "-c", "echo ready; exec sleep 1000"]);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  const count = descendants().length;
  const outcome = outcomeOf(child);
  child.kill("SIGKILL");
  await outcome;
  await assertNoProcesses();
  return count;
}

kernelTest("a container's own flood of processes ends with it", async () => {
  const child = startPycri([
    "run",
    busyboxRoot(),
    "sh",
    "-c",
    "for i in 1 2 3 4 5 6 7 8; do (setsid sleep 1000 &) ; done; echo ready; wait; read line",
  ]);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  const outcome = outcomeOf(child);
  child.kill("SIGKILL");
  await outcome;
  await assertNoProcesses();
});

kernelTest("stage directories are empty afterwards", () => {
  const pycriDirectory = join(runtimeDirectory, "pycri");
  for (const entry of readdirSync(pycriDirectory, { withFileTypes: true })) {
    if (entry.isDirectory()) assert.deepEqual(readdirSync(join(pycriDirectory, entry.name)), [], entry.name);
  }
});
