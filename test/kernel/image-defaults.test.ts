/** What an image says about its containers, seen from inside, and what the line may say instead. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before } from "node:test";
import { kernelTest } from "../support/kernel-test.ts";
import { writeImageArchive } from "../support/image-archive.ts";
import { pycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { busyboxLayer } from "../support/test-image.ts";

const CONFIG = {
  Env: ["GREETING=hello", "PATH=/bin", "EMPTY="],
  Entrypoint: ["/bin/sh", "-c", 'echo "[$0 $*]"; exec 3>&1; "$@"'],
  Cmd: ["zero", "pwd"],
  User: "app",
  WorkingDir: "/data/work",
  Volumes: { "/data": {}, "/volume/deep": {} },
  ExposedPorts: { "80/tcp": {}, "53/udp": {} },
  StopSignal: "SIGQUIT",
  Labels: { origin: "image", kept: "yes" },
  Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000, Retries: 3 },
};

const IMAGE = "docker.io/library/defaults:latest";

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args);
  assert.equal(status, 0, stderr);
  return stdout;
};

before(async () => {
  const archive = join(makeOwned(join(scratch, "archive")), "image.tar");
  writeImageArchive(archive, [{ name: IMAGE, layers: [busyboxLayer()], config: CONFIG }]);
  assert.equal(await ok("load", "-i", archive), "Loaded image: defaults:latest\n");
});

kernelTest("Entrypoint and Cmd run; a command replaces Cmd, --entrypoint both", async () => {
  assert.equal(await ok("run", "defaults"), "[zero pwd]\n/data/work\n");
  assert.equal(await ok("run", "defaults", "zero", "echo", "mine"), "[zero echo mine]\nmine\n");
  assert.equal(await ok("run", "--entrypoint", "/bin/echo", "defaults"), "\n");
  assert.equal(await ok("run", "--entrypoint", "/bin/echo", "defaults", "x"), "x\n");
});

kernelTest("Env is set, and --env goes before it", async () => {
  const script = 'echo "$GREETING,$PATH,${EMPTY-unset}"';
  assert.equal(await ok("run", "--entrypoint", "/bin/sh", "defaults", "-c", script), "hello,/bin,\n");
  assert.equal(
    await ok("run", "-e", "GREETING=bye", "--entrypoint", "/bin/sh", "defaults", "-c", script),
    "bye,/bin,\n",
  );
});

kernelTest("User is who runs it, with its groups; --user goes before it", async () => {
  assert.equal(await ok("run", "--entrypoint", "/bin/id", "defaults", "-u"), "1000\n");
  assert.equal(await ok("run", "--user", "0", "--entrypoint", "/bin/id", "defaults", "-u"), "0\n");
});

kernelTest("WorkingDir is made and entered; --workdir goes before it", async () => {
  assert.equal(await ok("run", "--entrypoint", "/bin/pwd", "defaults"), "/data/work\n");
  assert.equal(await ok("run", "-w", "/tmp", "--entrypoint", "/bin/pwd", "defaults"), "/tmp\n");
});

kernelTest("Volumes exist, keep what the image has there, and take writes for this run alone", async () => {
  const script = "ls -d /volume/deep; cat /data/kept; echo 1 >/data/mark; ls /data";
  const args = ["run", "--user", "0", "--entrypoint", "/bin/sh", "defaults", "-c", script];
  assert.equal(await ok(...args), "/volume/deep\nkept\ngone\nkept\nmark\nwork\n");
  assert.equal(await ok(...args), "/volume/deep\nkept\ngone\nkept\nmark\nwork\n");
});

kernelTest("with --read-only volumes still take writes; a mount of the line goes before a volume", async () => {
  const script = "echo 1 >/data/mark && cat /data/mark; echo 2 >/etc/mark";
  const readOnly = await pycri([
    "run",
    "--read-only",
    "-u",
    "0",
    "-w",
    "/",
    "--entrypoint",
    "/bin/sh",
    "defaults",
    "-c",
    script,
  ]);
  assert.equal(readOnly.stdout, "1\n");
  assert.match(readOnly.stderr, /\/etc\/mark: Read-only file system/);
  const own = makeOwned(join(scratch, "own"));
  const mounted = [
    "run",
    "-v",
    `${own}:/data`,
    "-w",
    "/",
    "-u",
    "0",
    "--entrypoint",
    "/bin/ls",
    "defaults",
    "-A",
    "/data",
  ];
  assert.equal(await ok(...mounted), "");
});

kernelTest("the record has labels, ports, stop signal and health check", async () => {
  await ok("run", "--name", "told", "-l", "origin=line", "-w", "/", "--entrypoint", "/bin/true", "defaults");
  const inspect = async (format: string): Promise<string> => ok("inspect", "--format", format, "told");
  assert.equal(await inspect("{{json .Config.Labels}}"), '{"origin":"line","kept":"yes"}\n');
  assert.equal(await inspect("{{json .Config.ExposedPorts}}"), '{"80/tcp":{},"53/udp":{}}\n');
  assert.equal(
    await inspect("{{.Config.StopSignal}} {{.Config.Image}} {{.State.Status}}"),
    "SIGQUIT defaults exited\n",
  );
  assert.equal(await inspect("{{index .Config.Healthcheck.Test 1}} {{.Config.Healthcheck.Retries}}"), "true 3\n");
  assert.equal(await ok("inspect", "--type", "image", "-f", "{{.Config.User}}", "defaults"), "app\n");
  await ok("rm", "told");
});
