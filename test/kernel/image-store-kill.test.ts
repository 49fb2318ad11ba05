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
const ROUNDS = 25;
/** A whole pull takes some 300 ms here; kills fall on all of it. */
const SPAN_MS = 400;

let registry: Registry;

before(async () => {
  if (options.skip !== false) return;
  registry = await startRegistry();
  const layout = makeTestImage();
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

test("killed pulls leave a store without faults, which the next pull completes", options, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const child = startPycri(["pull", "-q", `${registry.host}/a:1`]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    const timer = setTimeout(() => child.kill("SIGKILL"), (SPAN_MS * round) / ROUNDS);
    await ended;
    clearTimeout(timer);
    const check = await pycri(["system", "check"]);
    assert.equal(check.status, 0, check.stdout + check.stderr);
    if (round % 5 === 4) assert.equal((await pycri(["image", "prune", "--all"])).status, 0);
  }
  assert.equal((await pycri(["run", `${registry.host}/a:1`])).stdout, "hello\n/data\n0\n");
  assert.equal((await pycri(["image", "prune", "--all"])).status, 0);
  const store = join(home, ".local/share/pycri");
  for (const area of ["layers", "ingest", "staging", "blobs/sha256"])
    assert.deepEqual(readdirSync(join(store, area)), []);
});

test("parallel pulls of one image all succeed and unpack each layer once", options, async () => {
  const pulls = await Promise.all(Array.from({ length: 4 }, () => pycri(["pull", "-q", `${registry.host}/a:1`])));
  for (const { status, stderr } of pulls) assert.equal(status, 0, stderr);
  assert.equal(readdirSync(join(home, ".local/share/pycri/layers")).length, 2);
});
