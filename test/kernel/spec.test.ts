/** `pycri spec`: that other runtimes run what it prints, and that the command inside finds what `pycri run` gives it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Spec } from "../../src/oci/spec.ts";
import { oldestVersion } from "../../src/oci/spec-version.ts";
import { caller } from "../support/caller.ts";
import { inside } from "../support/inside.ts";
import { kernelTest, newFiles } from "../support/kernel-test.ts";
import { pathsBelow } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { writeImageArchive } from "../support/image-archive.ts";
import { type RunOptions, command, pycri } from "../support/run.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";
import { makeOwned, runtimeDirectory, scratch } from "../support/scratch.ts";

async function specOf(...args: readonly string[]): Promise<Spec> {
  const { status, stdout, stderr } = await pycri(["spec", ...args]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  return JSON.parse(stdout) as Spec;
}

kernelTest("the Spec says what the options say", async () => {
  const root = busyboxRoot();
  const spec = await specOf(
    "--hostname=box",
    "-e",
    "A=1",
    "-w",
    "/tmp",
    "--read-only",
    "--userns=single",
    root,
    "echo",
    "hi",
  );
  assert.equal(spec.hostname, "box");
  assert.deepEqual(spec.root, { path: root, readonly: true });
  assert.deepEqual(spec.process?.args, ["echo", "hi"]);
  assert.equal(spec.process?.cwd, "/tmp");
  assert.ok(spec.process?.env?.includes("A=1"));
  assert.equal(spec.process?.noNewPrivileges, true);
  assert.deepEqual(spec.linux?.namespaces?.map(({ type }) => type).toSorted(), [
    "cgroup",
    "ipc",
    "mount",
    "network",
    "pid",
    "user",
    "uts",
  ]);
  assert.equal(spec.linux?.seccomp?.defaultAction, "SCMP_ACT_ERRNO");
  assert.ok((spec.linux?.seccomp?.syscalls?.length ?? 0) > 10, "the profile is whole");
});

kernelTest("nothing is started and nothing is held", async () => {
  const before = pathsBelow(runtimeDirectory);
  const spec = await specOf("--userns=auto:size=512", "--name=unborn", busyboxRoot(), "true");
  assert.equal(spec.linux?.uidMappings?.[0]?.size, 512);
  assert.deepEqual(newFiles(before), []);
  // The range is free again: it is given out once more.
  const again = await specOf("--userns=auto:size=512", busyboxRoot(), "true");
  assert.deepEqual(again.linux?.uidMappings, spec.linux?.uidMappings);
});

kernelTest("-o writes the file, and errors are run's", async () => {
  const file = join(makeOwned(join(scratch, "spec-output")), "config.json");
  assert.deepEqual(await pycri(["spec", "-o", file, busyboxRoot(), "true"]), {
    status: 0,
    signal: null,
    stdout: "",
    stderr: "",
  });
  assert.equal((JSON.parse(readFileSync(file, "utf8")) as Spec).process?.args?.[0], "true");
  const { status, stderr } = await pycri(["spec", join(scratch, "not-there")]);
  assert.equal(status, 125);
  assert.match(stderr, /^pycri: cannot use ".*not-there" as the root filesystem: there is no such directory\n/);
});

const INSIDE = `id; hostname; sed -n '/^Cap\\|^NoNew\\|^Seccomp:/p' /proc/self/status; cat /proc/self/uid_map; echo $A; pwd; ls /proc/sys/kernel/domainname; ls -d /dev/null /dev/pts; touch /new 2>&1 || true`;

/** crun refuses hosts that mount both versions of cgroups: it gets a view without any. */
const RUNTIMES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  crun: ["crun", "--cgroup-manager=disabled"],
  runc: ["runc"],
};

/** The line that has a runtime run a bundle, as the caller. */
function runtimeLine(
  program: string,
  line: readonly string[],
): readonly [line: readonly [string, ...string[]], options: RunOptions] {
  const hide = 'mount -t tmpfs none /sys/fs/cgroup && exec setpriv --reuid "$0" --regid "$1" --clear-groups "$@"';
  return program === "crun"
    ? [
        ["unshare", "--mount", "sh", "-c", hide.replace('"$1"', `"${caller.gid}"`), String(caller.uid), ...line],
        { asSelf: true },
      ]
    : [line as [string, ...string[]], {}];
}

kernelTest("an image alone is refused, also of one layer; --bundle and --output exclude each other", async () => {
  const archive = join(makeOwned(join(scratch, "spec-image")), "image.tar");
  const config = {
    Cmd: ["sh", "-c", "echo $A; pwd; cat file; ls -ln file gone; id -u"],
    Env: ["A=b"],
    WorkingDir: "/data",
  };
  const second = tar([
    { name: "data/", type: "5", mode: 0o755 },
    { name: "data/file", data: "words\n", uid: 33, gid: 44 },
    { name: "data/.wh.gone" },
  ]);
  writeImageArchive(archive, [
    { name: "docker.io/library/one:latest", layers: [busyboxLayer()], config },
    { name: "docker.io/library/two:latest", layers: [busyboxLayer(), second], config },
  ]);
  assert.equal((await pycri(["load", "-i", archive])).status, 0);
  for (const name of ["one", "two"]) {
    const { status, stderr } = await pycri(["spec", name]);
    assert.equal(status, 125);
    assert.match(
      stderr,
      new RegExp(`the image "${name}" into an OCI Spec.*\\nhint: .*pycri spec --bundle DIR ${name}$`, "m"),
    );
  }
  const folder = makeOwned(join(scratch, "spec-failed"));
  const absent = await pycri(["spec", "--bundle", join(folder, "bundle"), "--pull=never", "not-stored"]);
  assert.match(absent.stderr, /no image "not-stored" is stored/);
  assert.deepEqual(pathsBelow(folder), []);
  const both = await pycri(["spec", "-b", "x", "-o", "y", "two"]);
  assert.equal(both.status, 125);
  assert.match(both.stderr, /--bundle together with --output/);
});

for (const [program, argv] of Object.entries(RUNTIMES)) {
  kernelTest(
    `${program} runs an image of several layers out of its bundle`,
    async (context) => {
      if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) {
        assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `${program} is not installed`);
        context.skip(`${program} is not installed`);
        return;
      }
      const state = makeOwned(join(scratch, `state-image-${program}`));
      for (const [flags, owner] of [
        [["--userns=single"], "0 +0"],
        [[], "33 +44"],
      ] as const) {
        const bundle = join(makeOwned(join(scratch, `image-${program}-${flags.length}`)), "bundle");
        const made = await pycri(["spec", "--bundle", bundle, ...flags, "two"]);
        assert.deepEqual(made, { status: 0, signal: null, stdout: "", stderr: "" });
        const again = await pycri(["spec", "--bundle", bundle, ...flags, "two"]);
        assert.match(again.stderr, /cannot make ".*\/rootfs": EEXIST/);
        const line = [...argv, "--root", state, "run", "--bundle", bundle, `image-${program}`];
        const { stdout, stderr } = await command(...runtimeLine(program, line));
        assert.equal(stderr, "ls: gone: No such file or directory\n");
        assert.match(stdout, new RegExp(`^b\\n/data\\nwords\\n-rw-r--r-- +1 ${owner} .* file\\n0\\n$`));
      }
      assert.equal((await pycri(["system", "check"])).stdout, "");
    },
    ["root"],
  );

  kernelTest(
    `${program} runs it, and the command inside finds the same`,
    async (context) => {
      if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) {
        assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `${program} is not installed`);
        context.skip(`${program} is not installed`);
        return;
      }
      const bundle = makeOwned(join(scratch, `bundle-${program}`));
      const state = makeOwned(join(scratch, `state-${program}`));
      const flags = ["--userns=single", "--hostname=box", "-e", "A=1", "-w", "/tmp", "--read-only"];
      const spec = await specOf(...flags, busyboxRoot(), "sh", "-c", INSIDE);
      writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
      const line = [...argv, "--root", state, "run", "--bundle", bundle, `spec-${program}`];
      const { status, stdout, stderr } = await command(...runtimeLine(program, line));
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      assert.equal(stdout.trimEnd(), await inside(flags, INSIDE));
    },
    ["root"],
  );
}

test("the version is the oldest that knows the Spec", () => {
  const mount = { destination: "/x", source: "/x", options: ["bind", "idmap"] };
  assert.equal(oldestVersion({ ociVersion: "1.3.0" }), "1.1.0");
  assert.equal(oldestVersion({ ociVersion: "1.3.0", mounts: [mount] }), "1.2.0");
  assert.equal(oldestVersion({ ociVersion: "1.3.0", mounts: [mount], linux: { netDevices: {} } }), "1.3.0");
});
