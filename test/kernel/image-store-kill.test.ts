/**
 * The store survives SIGKILL at any moment: after each kill a check finds nothing wrong, and in the end a pull completes and
 * nothing but what it brought is left.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Registry, hasRegistry, startRegistry } from "../support/registry.ts";
import { pycri, startPycri } from "../support/run.ts";
import { home } from "../support/scratch.ts";
import { makeTestImage } from "../support/test-image.ts";

const missing = hasRegistry() ? false : "docker-registry, skopeo, umoci, htpasswd, openssl or busybox is not installed";
const options = { skip: process.env["REQUIRE_KERNEL"] === "1" ? false : missing };
const ROUNDS = 30;

let registry: Registry;
let layout = "";

before(async () => {
  if (options.skip !== false) return;
  registry = await startRegistry();
  layout = makeTestImage();
  execFileSync("skopeo", [
    "copy",
    "-q",
    "--dest-tls-verify=false",
    `oci:${layout}:v1`,
    `docker://${registry.host}/a:1`,
  ]);
});

after(async () => {
  if (options.skip === false) await registry.stop();
});

interface Victim {
  readonly what: string;
  readonly args: () => readonly string[];
  /** Without it there is nothing to do. */
  readonly before?: () => Promise<unknown>;
}

/** In turn, so that each finds what the others have left. */
const VICTIMS: readonly Victim[] = [
  { what: "pull", args: () => ["pull", "-q", `${registry.host}/a:1`] },
  {
    what: "run of another id mapping",
    args: () => ["run", "--pull=never", "--userns=keep-id", `${registry.host}/a:1`],
  },
  {
    what: "rmi",
    args: () => ["rmi", "--force", `${registry.host}/a:1`],
    before: () => pycri(["pull", "-q", `${registry.host}/a:1`]),
  },
  { what: "load", args: () => ["load", "-q", "-i", layout] },
  { what: "prune", args: () => ["image", "prune", "--all"] },
];

/** Milliseconds that a command takes when it is left alone. */
async function durationOf(args: readonly string[]): Promise<number> {
  const begin = performance.now();
  await pycri(args);
  return performance.now() - begin;
}

test(
  "killed at random moments, pull, unpacking, load, rmi and prune leave a store without faults",
  options,
  async () => {
    const span = await durationOf(["pull", "-q", `${registry.host}/a:1`]);
    for (let round = 0; round < ROUNDS; round++) {
      const victim = VICTIMS[round % VICTIMS.length];
      assert.ok(victim !== undefined);
      await victim.before?.();
      const child = startPycri(victim.args());
      const ended = new Promise((resolve) => child.once("close", resolve));
      const moment = span * Math.random();
      const timer = setTimeout(() => child.kill("SIGKILL"), moment);
      await ended;
      clearTimeout(timer);
      const check = await pycri(["system", "check"]);
      assert.equal(check.status, 0, `${victim.what}, killed after ${moment} ms: ${check.stdout}${check.stderr}`);
    }
    assert.equal((await pycri(["pull", "-q", `${registry.host}/a:1`])).status, 0);
    assert.equal((await pycri(["run", `${registry.host}/a:1`])).stdout, "hello\n/data\n0\n");
    assert.equal((await pycri(["image", "prune", "--all"])).status, 0);
    const store = join(home, ".local/share/pycri");
    for (const area of ["layers", "ingest", "staging", "blobs/sha256"])
      assert.deepEqual(readdirSync(join(store, area)), []);
  },
);
