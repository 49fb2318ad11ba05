/** What containers of images write: kept with a name, compared, committed, exported, copied, removed. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before } from "node:test";
import { kernelTest } from "../support/kernel-test.ts";
import { until } from "../support/leftovers.ts";
import { command, outcomeOf, pycri, type RunOptions, startPycri } from "../support/run.ts";
import { home, makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { makeBusyboxArchive } from "../support/test-image.ts";

const IMAGE = "box";
const store = join(home, ".local/share/pycri");
let files = "";

const ok = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args, options);
  assert.equal(status, 0, stderr);
  return stdout;
};

const fails = async (...args: readonly string[]): Promise<string> => {
  const { status, stderr } = await pycri(args);
  assert.equal(status, 125);
  return stderr;
};

/** Names in an archive, and what they are, as tar(1) lists them. */
const list = (archive: string): readonly string[] =>
  execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).trim().split("\n");

before(async () => {
  files = makeOwned(join(scratch, "files"));
  const archive = join(files, "root.tar");
  makeBusyboxArchive(archive);
  await ok(["import", archive, IMAGE]);
});

after(async () => {
  await pycri(["system", "check", "--repair"]);
});

const CHANGE = "echo 1 >/data/new; echo 2 >>/data/kept; rm /data/gone; chown 33:44 /data/new; ln -s kept /data/link";

kernelTest("a named container keeps what it writes until it is removed", async () => {
  await ok(["run", "--name", "kept", IMAGE, "sh", "-c", CHANGE]);
  assert.equal(await ok(["diff", "kept"]), "C /data\nD /data/gone\nC /data/kept\nA /data/link\nA /data/new\n");
  assert.equal(
    await ok(["diff", "--format", "{{.Type}}={{.Path}}", "kept"]).then((all) => all.split("\n")[1]),
    "D=/data/gone",
  );
  assert.equal(readdirSync(join(store, "containers")).length, 1);
  assert.equal(await ok(["rm", "kept"]), "kept\n");
  assert.deepEqual(readdirSync(join(store, "containers")), []);
  assert.match(await fails("diff", "kept"), /cannot find the container "kept"/i);
});

kernelTest("a container without a record keeps nothing, and says what would", async () => {
  const child = startPycri(["run", "--rm", "--name", "brief", IMAGE, "sh", "-c", "echo up; read line"]);
  const ended = outcomeOf(child);
  await until("the container runs", async () => (await pycri(["cp", "brief:/data/kept", "-"])).status === 0);
  assert.match(await fails("diff", "brief"), /nothing keeps what it writes.*--name and without --rm/s);
  child.stdin?.end("\n");
  assert.equal((await ended).status, 0);
  assert.deepEqual(readdirSync(join(store, "containers")), []);
});

kernelTest("a launch that fails leaves no layer behind", async () => {
  assert.equal((await pycri(["run", "--name", "not", IMAGE, "/not/there"])).status, 127);
  assert.deepEqual(readdirSync(join(store, "containers")), []);
  assert.match(await fails("rm", "not"), /cannot find the container/i);
});

kernelTest("commit makes an image of the changes, with the instructions given", async () => {
  await ok(["run", "--name", "base", IMAGE, "sh", "-c", CHANGE]);
  const id = await ok([
    "commit",
    "-m",
    "why",
    "-a",
    "me",
    "-c",
    "CMD cat /data/new",
    "-c",
    'ENV A="b c" D=e',
    "base",
    "made",
  ]);
  assert.match(id, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(await ok(["run", "made"]), "1\n");
  assert.equal(
    await ok(["run", "made", "sh", "-c", "ls /data; stat -c %u:%g /data/new; echo $A"]),
    "kept\nlink\nnew\n33:44\nb c\n",
  );
  assert.match(await ok(["history", "made"]), /why/);
  assert.equal(await ok(["image", "inspect", "--format", "{{len .RootFS.Layers}} {{.Author}}", "made"]), "2 me\n");
  await ok(["rm", "base"]);
  await ok(["rmi", "made"]);
});

kernelTest("what mounts and volumes hold is neither compared nor committed", async () => {
  await ok(["commit", "-c", "VOLUME /state", await keep("plain", "true"), "voluminous"]);
  await ok([
    "run",
    "--name",
    "volumes",
    "-v",
    `${files}:/mnt`,
    "--tmpfs",
    "/scratch",
    "voluminous",
    "sh",
    "-c",
    "echo 1 >/state/a; echo 2 >/scratch/b",
  ]);
  assert.equal(await ok(["diff", "volumes"]), "");
  await ok(["rm", "volumes", "plain"]);
  await ok(["rmi", "voluminous"]);
});

/** A container that has ended after this script. */
const keep = async (name: string, script: string): Promise<string> => {
  await ok(["run", "--name", name, IMAGE, "sh", "-c", script]);
  return name;
};

kernelTest("export writes what the container saw, for an ended and for a running one", async () => {
  await keep("ended", CHANGE);
  const archive = join(files, "ended.tar");
  await ok(["export", "-o", archive, "ended"]);
  const names = list(archive);
  assert.ok(names.includes("data/new") && names.includes("bin/busybox") && names.includes("proc/"));
  assert.ok(!names.includes("data/gone"));
  assert.match(execFileSync("tar", ["-tvf", archive, "data/new"], { encoding: "utf8" }), / 33\/44 /);
  await ok(["rm", "ended"]);

  const child = startPycri(["run", "--name", "live", IMAGE, "sh", "-c", `${CHANGE}; echo up; read line`]);
  const up = new Promise((resolve) => child.stdout?.once("data", resolve));
  await up;
  const live = join(files, "live.tar");
  await ok(["export", "-o", live, "live"]);
  assert.deepEqual(list(live).toSorted(), names.toSorted());
  assert.equal(await ok(["diff", "live"]), "C /data\nD /data/gone\nC /data/kept\nA /data/link\nA /data/new\n");
  child.stdin?.end("\n");
  await new Promise((resolve) => child.once("close", resolve));
  await ok(["rm", "live"]);
});

kernelTest("cp takes files out by Docker's rules", async () => {
  await keep(
    "out",
    "mkdir -p /data/tree/sub; echo t >/data/tree/sub/file; ln -s tree /data/way; ln -s /etc /data/tree/escape",
  );
  const folder = makeOwned(join(files, "out"));
  const at = (path: string): string => join(folder, path);
  const content = (path: string): string => readFileSync(at(path), "utf8");
  await ok(["cp", "out:/data/kept", at("renamed")]);
  assert.equal(content("renamed"), "kept\n");
  await ok(["cp", "out:data/kept", folder]);
  assert.equal(content("kept"), "kept\n");
  await ok(["cp", "out:/data/way/sub", at("through-a-symlink")]);
  assert.equal(content("through-a-symlink/file"), "t\n");
  await ok(["cp", "out:/data/tree", folder]);
  assert.equal(content("tree/sub/file"), "t\n");
  await ok(["cp", "out:/data/tree/.", at("contents")]);
  assert.equal(content("contents/sub/file"), "t\n");
  await ok(["cp", "-L", "out:/data/way", at("followed")]);
  assert.ok(statSync(at("followed")).isDirectory());
  const status = statSync(at("kept"));
  assert.equal(status.uid, statSync(home).uid);
  // A symlink of the container stays one, whatever it leads to on the host.
  assert.equal(execFileSync("readlink", [at("tree/escape")], { encoding: "utf8" }), "/etc\n");
  assert.match(await fails("cp", "out:/data/none", folder), /there is no such file/);
  assert.match(await fails("cp", "out:/data/kept/.", folder), /it is not a directory/);
  assert.match(await fails("cp", "out:/data/kept", at("no/such")), /there is no directory/);
  assert.match(await fails("cp", "out:/data/tree", at("kept")), /it is not a directory/);
  const child = startPycri(["cp", "out:/data/tree", "-"]);
  assert.ok(child.stdout !== null);
  const names = execFileSync("tar", ["-t"], { input: await buffer(child.stdout), encoding: "utf8" });
  assert.equal(names, "tree/\ntree/escape\ntree/sub/\ntree/sub/file\n");
  await ok(["rm", "out"]);
});

kernelTest("cp puts files into an ended and into a running container", async () => {
  const folder = makeOwned(join(files, "in"));
  mkdirSync(join(folder, "tree"));
  writeFileSync(join(folder, "tree/file"), "from the host\n", { mode: 0o640 });
  symlinkSync("/etc/passwd", join(folder, "tree/link"));
  await command(["chown", "-R", "0:0", folder], { asSelf: true }).then(() =>
    command(["chmod", "-R", "a+rX", folder], { asSelf: true }),
  );

  await keep("put", "rm /data/gone");
  await ok(["cp", join(folder, "tree"), "put:/data"]);
  await ok(["cp", join(folder, "tree/file"), "put:/data/gone"]);
  await ok(["cp", join(folder, "tree/."), "put:/data/fresh"]);
  assert.equal(
    await ok(["diff", "put"]),
    [
      "C /data",
      "A /data/fresh",
      "A /data/fresh/file",
      "A /data/fresh/link",
      "C /data/gone",
      "A /data/tree",
      "A /data/tree/file",
      "A /data/tree/link",
      "",
    ].join("\n"),
  );
  await ok(["cp", "-", "put:/data"], {
    input: tar([{ name: "piped", data: "p\n", uid: 7, gid: 8 }]).toString("latin1"),
  });
  await ok(["commit", "put", "put"]);
  assert.equal(
    await ok([
      "run",
      "put",
      "sh",
      "-c",
      "cat /data/tree/file /data/gone; readlink /data/tree/link; stat -c %u:%g /data/tree/file /data/piped",
    ]),
    "from the host\nfrom the host\n/etc/passwd\n0:0\n7:8\n",
  );
  assert.match(await fails("cp", join(folder, "tree"), "put:/data/kept"), /it is not a directory/);
  assert.match(await fails("cp", join(folder, "none"), "put:/data"), /there is no such file/);
  assert.match(await fails("cp", folder, folder), /neither is in a container/);
  await ok(["rm", "put"]);

  const child = startPycri([
    "run",
    "--name",
    "hot",
    IMAGE,
    "sh",
    "-c",
    "echo up; read line; cat /data/hot; stat -c %u /data/hot",
  ]);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  const rest = outcomeOf(child);
  await ok(["cp", join(folder, "tree/file"), "hot:/data/hot"]);
  child.stdin?.end("\n");
  assert.equal((await rest).stdout, "from the host\n0\n");
  await ok(["rm", "hot"]);
});

kernelTest("a symlink in the container leads no copy out of it", async () => {
  const target = makeOwned(join(files, "target"));
  await keep("trap", `ln -s ${target} /data/trap; ln -s ${files}/root.tar /data/peek`);
  const folder = makeOwned(join(files, "trapped"));
  writeFileSync(join(folder, "file"), "x");
  assert.match(await fails("cp", join(folder, "file"), "trap:/data/trap/"), /there is no such directory/);
  assert.match(await fails("cp", "-L", "trap:/data/peek", folder), /there is no such file/);
  assert.deepEqual(readdirSync(target), []);
  await ok(["rm", "trap"]);
});

kernelTest("an image that a container needs can go, and the container still be committed", async () => {
  await ok(["tag", IMAGE, "other"]);
  const archive = join(files, "second.tar");
  makeBusyboxArchive(archive, { "data/second": "2\n" });
  await ok(["import", archive, "second"]);
  await ok(["run", "--name", "orphan", "second", "sh", "-c", "echo 3 >/data/third"]);
  assert.match(await fails("rmi", "second"), /container "orphan" was made of it/);
  await ok(["rmi", "--force", "second"]);
  assert.equal(await ok(["system", "check"]), "");
  await ok(["commit", "orphan", "again"]);
  assert.equal(await ok(["run", "again", "cat", "/data/second", "/data/third"]), "2\n3\n");
  await ok(["rm", "orphan"]);
  await ok(["rmi", "again", "other"]);
});

kernelTest("rm kills a running container when it is forced to", async () => {
  const child = startPycri(["run", "--name", "forced", IMAGE, "sh", "-c", "echo up; sleep 1000"]);
  const ended = outcomeOf(child);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  assert.match(await fails("rm", "forced"), /it is running/);
  await ok(["rm", "--force", "forced"]);
  assert.equal((await ended).status, 137);
  assert.deepEqual(readdirSync(join(store, "containers")), []);
});

kernelTest("an upper directory of one's own serves a directory's container as well", async () => {
  const root = join(files, "tree-root");
  await command(["mkdir", root]);
  await command(["tar", "-xf", join(files, "root.tar"), "-C", root]);
  const upper = makeOwned(join(files, "upper"));
  await ok(["run", "--name", "dir", "--upper", upper, root, "sh", "-c", CHANGE]);
  assert.equal(await ok(["diff", "dir"]), "C /data\nD /data/gone\nC /data/kept\nA /data/link\nA /data/new\n");
  assert.match(await fails("commit", "dir", "x"), /was not made of an image/);
  await ok(["cp", "dir:/data/new", join(files, "new")]);
  assert.equal(readFileSync(join(files, "new"), "utf8"), "1\n");
  await ok(["rm", "dir"]);
  assert.ok(statSync(join(upper, "upper/data/new")).isFile());
});
