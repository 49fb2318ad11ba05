/** What a commit and an export see: a container that stands still meanwhile, and owners that one id cannot hold. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { setImmediate } from "node:timers/promises";
import { lackOfCgroups, openCgroupPlace } from "../support/cgroups.ts";
import { writeImageArchive } from "../support/image-archive.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { until } from "../support/leftovers.ts";
import { outcomeOf, pycri, startPycri } from "../support/run.ts";
import { makeOwned, runtimeDirectory, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const place = lackOfCgroups() === null ? openCgroupPlace() : null;
const files = makeOwned(join(scratch, "archive"));

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args, { env: place?.env ?? {} });
  assert.equal(status, 0, stderr);
  return stdout;
};

before(async () => {
  const archive = join(files, "image.tar");
  const owned = tar([
    { name: "data/", type: "5", mode: 0o755 },
    { name: "data/owned", data: "owned\n", uid: 33, gid: 44 },
    { name: "large", data: randomBytes(30_000_000) },
  ]);
  writeImageArchive(archive, [{ name: "docker.io/library/owned:latest", layers: [busyboxLayer(), owned] }]);
  await ok("load", "-i", archive);
});

kernelTest("where all files belong to one id, export and what is made of it have the image's owners", async () => {
  const script = "stat -c %u:%g /data/owned; echo new >/data/new";
  assert.equal(await ok("run", "--userns=single", "--name", "one", "owned", "sh", "-c", script), "0:0\n");
  const archive = join(files, "export.tar");
  await ok("export", "-o", archive, "one");
  const list = execFileSync("tar", ["--numeric-owner", "-tvf", archive, "data/owned", "data/new"], {
    encoding: "utf8",
  });
  assert.match(list, /^\S+ 33\/44 .* data\/owned$/m);
  assert.match(list, /^\S+ 0\/0 .* data\/new$/m);
  await ok("commit", "one", "committed");
  await ok("import", archive, "imported");
  for (const image of ["committed", "imported"]) {
    assert.equal(await ok("run", image, "sh", "-c", "stat -c %u:%g /data/owned /data/new"), "33:44\n0:0\n");
  }
  await ok("rm", "one");
  await ok("rmi", "committed", "imported");
});

/** Started, and writing a large file's worth of changes. */
async function startWriter(): Promise<{ frozen(): boolean; end(): Promise<void> }> {
  const script = "cp /large /copy; echo ready; while :; do read -t 1 line && exit; done";
  const child = startPycri(
    ["run", "--name=writer", ...(place?.flags ?? []), "--pids-limit=20", "owned", "sh", "-c", script],
    {
      env: place?.env ?? {},
    },
  );
  const ended = outcomeOf(child);
  const link = join(runtimeDirectory, "pycri/names/writer");
  await Promise.race([new Promise((resolve) => child.stdout?.once("data", resolve)), ended]);
  await until("the container is recorded", () => existsSync(join(link, "pid")));
  const { cgroup } = JSON.parse(readFileSync(join(link, "config.json"), "utf8")) as {
    cgroup: { directory?: string; directories?: Record<string, string> };
  };
  const { directory, directories } = cgroup;
  return {
    frozen: () =>
      directory === undefined
        ? readFileSync(`${directories?.["freezer"]}/freezer.state`, "utf8") === "FROZEN\n"
        : /^frozen 1$/m.test(readFileSync(`${directory}/cgroup.events`, "utf8")),
    end: async () => {
      child.stdin?.end("\n");
      await ended;
      await ok("rm", "writer");
    },
  };
}

kernelTest(
  "commit freezes a running container and lets it go on, also when it is ended; --pause=false leaves it alone",
  async () => {
    const writer = await startWriter();
    try {
      for (const [flags, expected] of [
        [[], true],
        [["--pause=false"], false],
      ] as const) {
        const child = startPycri(["commit", ...flags, "writer", "paused"], { env: place?.env ?? {} });
        const outcome = outcomeOf(child);
        let seen = false;
        while (child.exitCode === null && child.signalCode === null) {
          seen ||= writer.frozen();
          await setImmediate();
        }
        assert.equal((await outcome).status, 0);
        assert.equal(seen, expected, flags.join(" "));
        assert.equal(writer.frozen(), false);
      }
      const child = startPycri(["commit", "writer", "ended"], { env: place?.env ?? {} });
      const outcome = outcomeOf(child);
      await until("the container is frozen", writer.frozen);
      child.kill("SIGTERM");
      assert.equal((await outcome).signal, "SIGTERM");
      assert.equal(writer.frozen(), false);
    } finally {
      await writer.end();
    }
    assert.equal(await ok("run", "paused", "sh", "-c", "cmp /large /copy && echo same"), "same\n");
  },
  ["cgroups"],
);
