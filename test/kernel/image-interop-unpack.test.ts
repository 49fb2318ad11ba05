/**
 * Unpacked layers beside what tar(1) and umoci make of the same archives in the same user namespace: names, kinds, modes,
 * owners, links, times to the nanosecond, contents and attributes of every file.
 */

import assert from "node:assert/strict";
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../src/host/find-program.ts";
import type { ArchiveJob } from "../../src/image/worker/jobs.ts";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { environment } from "../support/scratch.ts";
import { type Member, tar } from "../support/tar.ts";
import { asNamespaceRoot, describeTree, newDirectory, runWorker, unpack, unpacked } from "../support/unpack.ts";

/** CAP_NET_RAW, permitted and effective, in version 2 of the format; and the same in version 3, of an unmapped root. */
const CAPABILITY_V2 = "0100000200200000000000000000000000000000";
const CAPABILITY_V3 = "0100000300200000000000000000000000000000a0bb0d00";

/** A tree with one of everything, made as root of the namespace. */
const TREE = `
umask 022
mkdir -p plain sticky setgid "deep/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))" "$(printf 'caf\\351')"
echo content >plain/file; : >plain/empty; head -c 100000 /dev/urandom >plain/random
ln plain/file plain/second; ln plain/file third
ln -s file plain/link; ln -s /etc/passwd absolute; ln -s nowhere dangling
ln -s "$(printf 't%.0s' $(seq 200))" long-target
echo long >"deep/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))/$(printf 'f%.0s' $(seq 200))"
echo bytes >"$(printf 'caf\\351/na\\357ve')"; echo text >"na\u00efve"; printf x >'with
newline'
mkfifo -m 640 fifo
echo s >set-user; echo g >set-group
truncate -s 3M sparse; printf middle | dd of=sparse bs=1 seek=1M conv=notrunc status=none
for i in $(seq 40); do printf piece | dd of=pieces bs=1 seek=$((i * 65536)) conv=notrunc status=none; done; truncate -s 4M pieces
chown 33:44 plain/file plain set-user; chown -h 65535:1 absolute; chown -h 7:8 plain/link; chown 0:44 set-group setgid
chmod 4755 set-user; chmod 2755 set-group; chmod 1777 sticky; chmod 2775 setgid; chmod 0 plain/empty; chmod 600 plain/random
chmod 700 deep
`;
const ATTRIBUTES = `
setfattr -n user.text -v hello plain/file
setfattr -n user.binary -v 0x00ff0a3d00 plain
setfattr -n security.capability -v 0x${CAPABILITY_V2} set-group
`;
/** Times last: everything before changes those of directories. */
const TIMES = `
touch -d '2001-02-03 04:05:06.123456789' plain/file sticky fifo
touch -h -d '2002-03-04 05:06:07.987654321' plain/link dangling
touch -d '2003-04-05 06:07:08.000000001' deep plain .
`;

/** Not every format has a place for it. */
const EARLY = "touch -d '1969-12-31 23:59:58.25' plain/random; touch -d '2003-04-05' plain\n";

async function makeTree(...scripts: readonly string[]): Promise<string> {
  const directory = newDirectory();
  await asNamespaceRoot("bash", "-euc", `cd "$1"; ${scripts.join("\n")}`, "bash", directory);
  return directory;
}

/** The archive that GNU tar makes of a tree. */
async function archive(tree: string, ...args: readonly string[]): Promise<Buffer> {
  const file = join(newDirectory(), "layer.tar");
  await asNamespaceRoot("tar", "-C", tree, "--numeric-owner", "--sort=name", ...args, "-cf", file, ".");
  return readFileSync(file);
}

/** What tar(1) unpacks an archive to. */
async function extract(bytes: Uint8Array, ...args: readonly string[]): Promise<string> {
  const place = newDirectory();
  const directory = newDirectory();
  const file = join(place, "layer.tar");
  writeFileSync(file, bytes);
  chownSync(file, caller.uid, caller.gid);
  await asNamespaceRoot("tar", "-C", directory, "--numeric-owner", "--same-owner", "-p", ...args, "-xf", file);
  return directory;
}

const XATTRS = ["--xattrs", "--xattrs-include=*"];

kernelTest(
  "a PAX archive becomes what it was made of, and what tar unpacks it to",
  async () => {
    const tree = await makeTree(TREE, ATTRIBUTES, TIMES, EARLY);
    const bytes = await archive(tree, "--format=posix", ...XATTRS);
    const { directory, report } = await unpacked(bytes);
    const ours = await describeTree(directory);
    assert.deepEqual(ours, await describeTree(tree));
    assert.deepEqual(ours, await describeTree(await extract(bytes, ...XATTRS)));
    assert.deepEqual(report.notes, []);
    // The tree has what it should test.
    const text = ours.join("\n");
    assert.match(text, /^plain\/file\|f\|644\|33:44\|3\|981173106\.123456789\d?\|8\|$/m);
    assert.match(text, /^plain\/random\|f\|600\|0:0\|1\|-2\.2500000000\|/m);
    assert.match(text, new RegExp(`security.capability=0x${CAPABILITY_V2}`));
  },
  ["attributes"],
);

for (const format of ["gnu", "oldgnu", "ustar", "v7", "posix"]) {
  kernelTest(
    `tar --format=${format}`,
    async () => {
      // What the older formats cannot name is left out, for tar has left it out already.
      const short = ["rm -rf deep long-target", ...(format === "v7" ? ["rm fifo"] : [])];
      const times = TIMES.replace("deep", "").replace(format === "v7" ? "fifo" : "none", "");
      const tree = await makeTree(TREE, ...short, times);
      const bytes = await archive(tree, `--format=${format}`);
      const { directory } = await unpacked(bytes);
      assert.deepEqual(await describeTree(directory), await describeTree(await extract(bytes)));
    },
    ["attributes"],
  );
}

for (const sparse of [
  ["--format=gnu"],
  ...["0.0", "0.1", "1.0"].map((version) => ["--format=posix", `--sparse-version=${version}`]),
]) {
  kernelTest(
    `sparse files, tar -S ${sparse.join(" ")}: contents and holes`,
    async () => {
      const tree = await makeTree(TREE, "rm -rf deep long-target", TIMES.replace("deep", ""));
      const bytes = await archive(tree, "-S", ...sparse);
      assert.ok(bytes.length < 1024 * 1024, "tar stored the holes");
      const { directory } = await unpacked(bytes);
      assert.deepEqual(await describeTree(directory), await describeTree(await extract(bytes)));
      const blocks = await asNamespaceRoot("stat", "-c", "%b", join(directory, "sparse"), join(directory, "pieces"));
      for (const count of blocks.trim().split("\n")) assert.ok(Number(count) < 1024, `${blocks} blocks of 512 bytes`);
    },
    ["attributes"],
  );
}

kernelTest(
  "zstd and gzip give the same files as no compression",
  async () => {
    const tree = await makeTree(TREE, TIMES);
    const plain = await archive(tree, "--format=posix");
    const expected = await describeTree((await unpacked(plain)).directory);
    for (const program of ["--gzip", "--zstd"]) {
      const { directory, report } = await unpacked(await archive(tree, "--format=posix", program), {
        zstdProgram: findProgram("zstd", environment["PATH"] ?? "") ?? "",
      });
      assert.deepEqual(await describeTree(directory), expected, program);
      assert.match(report.diffId, /^sha256:/);
    }
  },
  ["attributes", "zstd"],
);

kernelTest(
  "file capabilities of another namespace's root become this one's",
  async () => {
    const value = Buffer.from(CAPABILITY_V3, "hex").toString("latin1");
    const { directory, report } = await unpacked(
      tar([{ name: "ping", pax: { "SCHILY.xattr.security.capability": value } }]),
    );
    assert.deepEqual(report.notes, []);
    const read = await asNamespaceRoot(
      "getfattr",
      "-n",
      "security.capability",
      "-e",
      "hex",
      "--absolute-names",
      join(directory, "ping"),
    );
    assert.match(read, new RegExp(`security.capability=0x${CAPABILITY_V2}\n`));
    // Without the rewriting the kernel refuses them.
    const raw = await asNamespaceRoot(
      "sh",
      "-c",
      'cd "$1"; : >raw; setfattr -n security.capability -v "0x$2" raw 2>&1 || :',
      "sh",
      directory,
      CAPABILITY_V3,
    );
    assert.match(raw, /Invalid argument/);
  },
  ["attributes"],
);

const layerOf = (name: string): Member => ({ name, data: `${name}\n` });
const folder = (name: string): Member => ({ name: `${name}/`, type: "5", mode: 0o755 });
const BASE = tar([
  folder("."),
  ...["a", "b", "b/c", "opaque", "opaque/sub", "turned"].map(folder),
  ...["a/deleted", "a/kept", "b/c/deep", "opaque/old", "opaque/sub/old", "gone", "turned/x", "replaced", "hard"].map(
    layerOf,
  ),
  { name: "a/hard", type: "1", linkName: "hard" },
]);
/** The same changes, each form in its own words. */
const changes = (whiteout: (directory: string, name: string) => Member, opaque: Member): Buffer =>
  tar([
    folder("."),
    folder("a"),
    whiteout("a/", "deleted"),
    whiteout("", "gone"),
    folder("b"),
    whiteout("b/", "c"),
    folder("opaque"),
    opaque,
    layerOf("opaque/new"),
    { name: "turned", data: "a file now\n" },
    { ...folder("replaced") },
    layerOf("replaced/inside"),
    whiteout("", "hard"),
  ]);
const AUFS = changes((directory, name) => ({ name: `${directory}.wh.${name}` }), { name: "opaque/.wh..wh..opq" });
const OVERLAY = changes((directory, name) => ({ name: `${directory}${name}`, type: "3" }), {
  ...folder("opaque"),
  pax: { "SCHILY.xattr.trusted.overlay.opaque": "y" },
});

/** What a container of these layers sees, as files. */
async function merged(lower: string, upper: string): Promise<string> {
  const place = newDirectory();
  const layers = [upper, lower].map((path, index) => [path, `${place}/${index}`] as const);
  for (const [from, to] of layers) await asNamespaceRoot("mv", from, to);
  const job: ArchiveJob = {
    op: "archive",
    root: place,
    layers: layers.map(([, to]) => `/${to.split("/").at(-1)}`),
    content: "merged",
    path: "",
    follow: false,
    name: "",
    expect: "any",
    without: [],
  };
  const file = join(newDirectory(), "merged.tar");
  const { status, stdout, stderr } = await runWorker(job, null);
  assert.equal(status, 0, stderr);
  writeFileSync(file, stdout);
  return extract(readFileSync(file));
}

kernelTest(
  "whiteouts and opaque directories, AUFS's and overlay's form, as umoci applies them",
  async () => {
    const place = newDirectory();
    for (const [name, bytes] of [
      ["base.tar", BASE],
      ["upper.tar", AUFS],
    ] as const) {
      writeFileSync(join(place, name), bytes);
      chownSync(join(place, name), caller.uid, caller.gid);
    }
    const script = `cd "$1"; umoci init --layout layout; umoci new --image layout:v1
      umoci raw add-layer --image layout:v1 base.tar; umoci raw add-layer --image layout:v1 upper.tar
      umoci unpack --image layout:v1 bundle`;
    await asNamespaceRoot("bash", "-euc", script, "bash", place);
    const names = async (tree: string): Promise<string> =>
      asNamespaceRoot(
        "sh",
        "-c",
        'cd "$1"; find . -mindepth 1 -printf "%P %y %m %U:%G %T@\\n" | sort; find . -type f | sort | xargs cat',
        "sh",
        tree,
      );
    const theirs = await names(join(place, "bundle/rootfs"));
    for (const upper of [AUFS, OVERLAY]) {
      const base = await unpacked(BASE);
      const above = await unpacked(upper, { upper: true });
      assert.equal(await names(await merged(base.directory, above.directory)), theirs);
    }
    assert.match(theirs, /^opaque\/new f/m);
    assert.doesNotMatch(theirs, /deleted|gone|deep|\/old|^hard /m);
  },
  ["attributes", "umoci"],
);

kernelTest(
  "one layer of everything, as umoci unpacks it",
  async () => {
    const tree = await makeTree(TREE, ATTRIBUTES, TIMES);
    const bytes = await archive(tree, "--format=posix", ...XATTRS);
    const place = newDirectory();
    writeFileSync(join(place, "layer.tar"), bytes);
    chownSync(join(place, "layer.tar"), caller.uid, caller.gid);
    const script = `cd "$1"; umoci init --layout layout; umoci new --image layout:v1
      umoci raw add-layer --image layout:v1 layer.tar; umoci unpack --image layout:v1 bundle`;
    await asNamespaceRoot("bash", "-euc", script, "bash", place);
    const { directory } = await unpacked(bytes);
    assert.deepEqual(await describeTree(directory), await describeTree(join(place, "bundle/rootfs")));
  },
  ["attributes", "umoci"],
);

kernelTest(
  "with one id the files are the caller's, and the real owners are recorded",
  async () => {
    const bytes = tar([
      { ...folder("d"), uid: 5, gid: 6 },
      { name: "d/f", data: "x", uid: 33, gid: 44, mode: 0o4755 },
      { name: "d/h", type: "1", linkName: "d/f" },
      { name: "root's", data: "x" },
      { name: "s", type: "2", linkName: "d", uid: 7, gid: 8 },
    ]);
    const { directory, report, failure } = await unpack(bytes, { single: true });
    assert.equal(failure, null);
    assert.deepEqual(report?.recordedOwners, [
      { path: "/d", uid: 5, gid: 6 },
      { path: "/d/f", uid: 33, gid: 44 },
      { path: "/d/h", uid: 33, gid: 44 },
      { path: "/s", uid: 7, gid: 8 },
    ]);
    const owners = await asNamespaceRoot("find", directory, "-mindepth", "1", "-printf", "%U:%G %m %P\n");
    assert.deepEqual(owners.trim().split("\n").toSorted(), [
      "0:0 4755 d/f",
      "0:0 4755 d/h",
      "0:0 644 root's",
      "0:0 755 d",
      "0:0 777 s",
    ]);
  },
  ["attributes"],
);
