/**
 * Images go back and forth between pycri and Podman, Skopeo and umoci, and come from Docker: each form of archive that one
 * writes, the others read, with the same ids, names, owners and contents. Docker's archives are made by hand, as its versions
 * write them.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { MEDIA_TYPE } from "../../src/oci/descriptor.ts";
import { caller } from "../support/caller.ts";
import { reasonToSkip } from "../support/kernel-test.ts";
import { type MadeImage, describeBlob, makeImage, sha256, uploadImage } from "../support/made-image.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { type RunOptions, command, outcomeOf, pycri, startPycri } from "../support/run.ts";
import { makeOwned, pycriCommand, scratch } from "../support/scratch.ts";
import { type Member, tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";
import { asNamespaceRoot, newDirectory } from "../support/unpack.ts";

const skip = reasonToSkip(["registry", "skopeo", "umoci", "podman", "zstd"]);
const interopTest = (name: string, body: () => Promise<void>): void => void test(name, { skip }, body);

/** Busybox; a layer that adds a file with an owner and a set-id bit; one that deletes. */
const LAYERS = [
  busyboxLayer(),
  tar([
    { name: "data/", type: "5", mode: 0o755 },
    { name: "data/owned", data: "words\n", uid: 33, gid: 44, mode: 0o4755 },
    { name: "data/link", type: "2", linkName: "owned" },
  ]),
  tar([{ name: "data/", type: "5", mode: 0o755 }, { name: "data/.wh.gone" }]),
];
const CONFIG = {
  Env: ["PATH=/bin", "GREETING=hello"],
  Cmd: ["sh", "-c", "echo $GREETING; ls /data; stat -c '%a %u:%g' /data/owned; cat /data/link"],
  Labels: { kind: "test" },
};
const OUTPUT = "hello\nkept\nlink\nowned\n4755 33:44\nwords\n";
const NAME = "example.invalid/team/image:1";

let registry: Registry;
let image: MadeImage;
const podmanStore = makeOwned(join(scratch, "podman"));
const podmanRun = makeOwned(join(scratch, "podman-run"), 0o700);

before(async () => {
  if (skip !== false) return;
  registry = await startRegistry();
  image = makeImage({ layers: LAYERS, config: CONFIG, format: "docker" });
  // The same configuration under both kinds of manifest. Converting one into the other makes a new one, and a new id.
  await uploadImage(registry.host, "team/image", "docker", image);
  await uploadImage(registry.host, "team/image", "oci", makeImage({ layers: LAYERS, config: CONFIG, format: "oci" }));
});

after(async () => {
  if (skip !== false) return;
  await podman("system", "reset", "--force");
  await registry.stop();
});

async function ok(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await command(argv, options);
  assert.equal(status, 0, `${argv.join(" ")}: ${stderr}`);
  return stdout;
}

function podman(...args: readonly string[]): Promise<string> {
  const places = ["--root", podmanStore, "--runroot", podmanRun, "--storage-driver", "vfs"];
  return ok(["podman", ...places, "--cgroup-manager", "cgroupfs", "--events-backend", "none", ...args]);
}

const skopeo = (...args: readonly string[]): Promise<string> =>
  ok(["skopeo", "--insecure-policy", "--tmpdir", scratch, ...args]);

const zstd = (bytes: Buffer): Buffer => execFileSync("zstd", ["-qc"], { input: bytes, maxBuffer: 1 << 28 });

let count = 0;

/** pycri with a store of its own. */
function newStore(): {
  ok(...args: readonly string[]): Promise<string>;
  readonly env: Readonly<Record<string, string>>;
} {
  const env = { XDG_DATA_HOME: makeOwned(join(scratch, `data-${count++}`)) };
  return {
    env,
    ok: async (...args) => {
      const { status, stdout, stderr } = await pycri(args, { env });
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    },
  };
}

type Store = ReturnType<typeof newStore>;

/** The one image in the store is the test's: its id, what it prints, what it has for a name. */
async function isTheImage(store: Store, name: string | null): Promise<void> {
  const id = await store.ok("images", "-q", "--no-trunc");
  assert.equal(id, `${image.config.digest}\n`);
  assert.equal(await store.ok("run", name ?? id.trim()), OUTPUT);
  if (name !== null) assert.equal(await store.ok("images", "--format", "{{.Repository}}:{{.Tag}}"), `${name}\n`);
}

function give(path: string, bytes: Uint8Array): string {
  writeFileSync(path, bytes);
  chownSync(path, caller.uid, caller.gid);
  return path;
}

const newPath = (name: string): string => join(newDirectory(), name);

interopTest("skopeo's docker-archive, oci-archive and OCI layout are loaded", async () => {
  for (const format of ["docker-archive", "oci-archive", "oci"]) {
    const source = `docker://${registry.host}/team/image:${format === "docker-archive" ? "docker" : "oci"}`;
    const path = newPath("image");
    await skopeo("copy", "-q", "--src-tls-verify=false", source, `${format}:${path}:${NAME}`);
    const store = newStore();
    assert.equal(await store.ok("load", "-i", path), `Loaded image: ${NAME}\n`, format);
    await isTheImage(store, NAME);
  }
});

interopTest("podman's docker-archive, oci-archive and OCI layout are loaded, from files and pipes", async () => {
  for (const format of ["docker-archive", "oci-archive", "oci-dir"]) {
    const source = `${registry.host}/team/image:${format === "docker-archive" ? "docker" : "oci"}`;
    await podman("pull", "-q", "--tls-verify=false", source);
    await podman("tag", source, NAME);
    const path = newPath("image");
    await podman("save", "-q", "--format", format, "-o", path, NAME);
    await podman("rmi", "-f", NAME, source);
    const store = newStore();
    assert.equal(await store.ok("load", "-i", path), `Loaded image: ${NAME}\n`, format);
    await isTheImage(store, NAME);
    if (format === "oci-dir") continue;
    const piped = newStore();
    const child = startPycri(["load"], { env: piped.env });
    const outcome = outcomeOf(child);
    child.stdin?.end(readFileSync(path));
    assert.deepEqual(await outcome, { status: 0, signal: null, stdout: `Loaded image: ${NAME}\n`, stderr: "" });
    await isTheImage(piped, NAME);
  }
});

interopTest("umoci's layout is loaded by its tag, without a name", async () => {
  const layout = newPath("layout");
  const umoci = (...args: readonly string[]): Promise<string> => ok(["umoci", ...args]);
  await umoci("init", "--layout", layout);
  await umoci("new", "--image", `${layout}:v1`);
  for (const [index, layer] of LAYERS.entries()) {
    await umoci("raw", "add-layer", "--image", `${layout}:v1`, give(newPath(`${index}.tar`), layer));
  }
  const words = CONFIG.Cmd.flatMap((word) => ["--config.cmd", word]);
  await umoci("config", "--image", `${layout}:v1`, ...CONFIG.Env.flatMap((word) => ["--config.env", word]), ...words);
  const store = newStore();
  const [, id = ""] = /^Loaded image ID: (sha256:[0-9a-f]{64})\n$/.exec(await store.ok("load", "-i", layout)) ?? [];
  assert.equal(await store.ok("run", id), OUTPUT);
});

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const hex = (digest: string): string => digest.replace("sha256:", "");

/** What `docker save` wrote before version 25: a folder for each layer, one that comes twice as a symlink. */
function oldDockerArchive(): Member[] {
  const config = image.blobs.get(image.config.digest) ?? Buffer.alloc(0);
  const ids = LAYERS.map((layer, index) => hex(sha256(Buffer.concat([layer, Buffer.from(`${index}`)]))));
  const members = LAYERS.flatMap((layer, index): Member[] => [
    { name: `${ids[index]}/`, type: "5", mode: 0o755 },
    { name: `${ids[index]}/VERSION`, data: "1.0" },
    { name: `${ids[index]}/json`, data: json({ id: ids[index] }) },
    index === 1
      ? { name: `${ids[index]}/layer.tar`, type: "2", linkName: "../shared/layer.tar" }
      : { name: `${ids[index]}/layer.tar`, data: layer },
  ]);
  const path = `${hex(image.config.digest)}.json`;
  return [
    ...members,
    { name: "shared/layer.tar", data: LAYERS[1] ?? Buffer.alloc(0) },
    { name: path, data: config },
    {
      name: "manifest.json",
      data: json([{ Config: path, RepoTags: [NAME], Layers: ids.map((id) => `${id}/layer.tar`) }]),
    },
    { name: "repositories", data: json({ "example.invalid/team/image": { 1: ids.at(-1) } }) },
  ];
}

/** What it writes since: an OCI layout and the old manifest.json over the same blobs, layers uncompressed. */
function newDockerArchive(): Member[] {
  const config = image.blobs.get(image.config.digest) ?? Buffer.alloc(0);
  const layers = LAYERS.map((layer) => describeBlob(MEDIA_TYPE.ociLayer, layer));
  const manifest = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: describeBlob(MEDIA_TYPE.ociConfig, config),
    layers,
  });
  const annotations = { "io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": "1" };
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [{ ...describeBlob(MEDIA_TYPE.ociManifest, manifest), annotations }],
  };
  const blob = (bytes: Buffer): Member => ({ name: `blobs/sha256/${hex(sha256(bytes))}`, data: bytes });
  const path = `blobs/sha256/${hex(image.config.digest)}`;
  return [
    { name: "blobs/", type: "5", mode: 0o755 },
    { name: "blobs/sha256/", type: "5", mode: 0o755 },
    ...LAYERS.map(blob),
    blob(config),
    blob(manifest),
    { name: "index.json", data: json(index) },
    {
      name: "manifest.json",
      data: json([
        { Config: path, RepoTags: [NAME], Layers: layers.map(({ digest }) => `blobs/sha256/${hex(digest)}`) },
      ]),
    },
    { name: "oci-layout", data: json({ imageLayoutVersion: "1.0.0" }) },
  ];
}

for (const [version, members] of [
  ["before 25", oldDockerArchive],
  ["since 25", newDockerArchive],
] as const) {
  interopTest(`an archive of docker save ${version} is loaded, plain, gzip and zstd`, async () => {
    const plain = tar(members());
    for (const bytes of [plain, gzipSync(plain), zstd(plain)]) {
      const store = newStore();
      assert.equal(await store.ok("load", "-i", give(newPath("image.tar"), bytes)), `Loaded image: ${NAME}\n`);
      await isTheImage(store, NAME);
    }
  });
}

/** Files, owners and modes that podman finds in an image; its own mount points are none of them. */
async function podmanSees(name: string): Promise<string> {
  const container = (await podman("create", name)).trim();
  const archive = newPath("export.tar");
  await podman("export", "-o", archive, container);
  await podman("rm", container);
  return ok(["tar", "--numeric-owner", "-tvf", archive, "--wildcards", "*data/*"]);
}

interopTest("what save writes, podman, skopeo and umoci read, and so do we", async () => {
  const store = newStore();
  await store.ok("load", "-i", give(newPath("image.tar"), tar(oldDockerArchive())));
  for (const format of ["docker-archive", "oci-archive", "oci-dir"]) {
    const path = newPath("saved");
    await store.ok("save", "--format", format, "-o", path, NAME);
    // From a directory, this podman makes the name out of the path, which would have to be in lower case.
    if (format !== "oci-dir") {
      assert.equal(await podman("load", "-q", "-i", path), `Loaded image: ${NAME}\n`, format);
      assert.equal(await podman("images", "-q", "--no-trunc", NAME), `${image.config.digest}\n`);
      const files = await podmanSees(NAME);
      assert.match(files, /^-rwsr-xr-x 33\/44 +6 .* data\/owned$/m);
      assert.match(files, /data\/link -> owned$/m);
      assert.doesNotMatch(files, /gone|\.wh\./);
      await podman("rmi", "-f", NAME);
    }
    const transport = { "docker-archive": "docker-archive", "oci-archive": "oci-archive", "oci-dir": "oci" }[format];
    const config = JSON.parse(await skopeo("inspect", "--config", `${transport}:${path}`)) as { config: unknown };
    assert.deepEqual(config.config, CONFIG);
    const again = newStore();
    assert.equal(await again.ok("load", "-i", path), `Loaded image: ${NAME}\n`);
    await isTheImage(again, NAME);
    if (format !== "oci-dir") continue;
    const bundle = newPath("bundle");
    await asNamespaceRoot("umoci", "unpack", "--image", `${path}:${NAME}`, bundle);
    assert.equal(await asNamespaceRoot("cat", join(bundle, "rootfs/data/owned")), "words\n");
    assert.deepEqual(readdirSync(join(bundle, "rootfs/data")).toSorted(), ["kept", "link", "owned"]);
  }
});

interopTest("several images in one archive, written by each for the other", async () => {
  const second = "example.invalid/team/other:2";
  const store = newStore();
  await store.ok("load", "-i", give(newPath("image.tar"), tar(oldDockerArchive())));
  await store.ok("import", give(newPath("root.tar"), LAYERS[0] ?? Buffer.alloc(0)), second);
  for (const format of ["docker-archive", "oci-archive"]) {
    const path = newPath("saved.tar");
    await store.ok("save", "--format", format, "-o", path, NAME, second);
    const other = newStore();
    const loaded = await other.ok("load", "-i", path);
    assert.deepEqual(loaded.trim().split("\n").toSorted(), [`Loaded image: ${NAME}`, `Loaded image: ${second}`]);
    if (format === "oci-archive") continue;
    await podman("load", "-q", "-i", path);
    const theirs = newPath("theirs.tar");
    await podman("save", "-q", "-m", "-o", theirs, NAME, second);
    await podman("rmi", "-f", NAME, second);
    const back = newStore();
    await back.ok("load", "-i", theirs);
    assert.equal((await back.ok("images", "-q")).trim().split("\n").length, 2);
    assert.equal(await back.ok("run", NAME), OUTPUT);
  }
});

interopTest("save to a pipe writes what it writes to a file, and load reads it from one", async () => {
  const store = newStore();
  await store.ok("load", "-i", give(newPath("image.tar"), tar(oldDockerArchive())));
  for (const format of ["docker-archive", "oci-archive"]) {
    const path = newPath("saved");
    await store.ok("save", "--format", format, "-o", path, NAME);
    const child = startPycri(["save", "--format", format, NAME], { env: store.env });
    assert.ok(child.stdout !== null);
    assert.ok((await buffer(child.stdout)).equals(readFileSync(path)), format);
  }
  const pipe = [...pycriCommand, "save", NAME].map((word) => `'${word}'`).join(" ");
  const other = newStore();
  const load = `XDG_DATA_HOME=${other.env["XDG_DATA_HOME"]} '${pycriCommand.join("' '")}' load`;
  assert.equal(await ok(["sh", "-c", `${pipe} | ${load}`], { env: store.env }), `Loaded image: ${NAME}\n`);
  await isTheImage(other, NAME);
});

interopTest("what push writes, podman and skopeo pull", async () => {
  const store = newStore();
  await store.ok("load", "-i", give(newPath("image.tar"), tar(oldDockerArchive())));
  const target = `${registry.host}/pushed/by-pycri:1`;
  await store.ok("push", NAME, target);
  await podman("pull", "-q", "--tls-verify=false", target);
  assert.equal(await podman("images", "-q", "--no-trunc", target), `${image.config.digest}\n`);
  await podman("rmi", "-f", target);
  const copy = newPath("copy");
  await skopeo("copy", "-q", "--src-tls-verify=false", `docker://${target}`, `oci:${copy}:1`);
  const other = newStore();
  await other.ok("load", "-i", copy);
  await isTheImage(other, null);
});

interopTest("what podman pushes is pulled", async () => {
  const path = give(newPath("image.tar"), tar(newDockerArchive()));
  await podman("load", "-q", "-i", path);
  for (const format of ["oci", "v2s2"]) {
    const target = `${registry.host}/pushed/by-podman:${format}`;
    await podman("push", "-q", "--tls-verify=false", "--format", format, NAME, target);
    const store = newStore();
    await store.ok("pull", target);
    await isTheImage(store, target);
  }
  await podman("rmi", "-f", NAME);
});

interopTest("zstd layers are pulled, pushed and saved as they are, and podman reads them", async () => {
  const compressed = makeImage({ layers: LAYERS, config: CONFIG, compress: zstd });
  await uploadImage(registry.host, "team/zstd", "1", compressed);
  const store = newStore();
  await store.ok("pull", `${registry.host}/team/zstd:1`);
  await isTheImage(store, `${registry.host}/team/zstd:1`);
  const target = `${registry.host}/pushed/zstd:1`;
  await store.ok("push", `${registry.host}/team/zstd:1`, target);
  assert.equal(
    sha256(Buffer.from(await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${target}`))),
    compressed.digest,
  );
  await podman("pull", "-q", "--tls-verify=false", target);
  assert.match(await podmanSees(target), /^-rwsr-xr-x 33\/44 +6 .* data\/owned$/m);
  const layout = newPath("layout");
  await store.ok("save", "--format", "oci-dir", "-o", layout, `${registry.host}/team/zstd:1`);
  const other = newStore();
  await other.ok("load", "-i", layout);
  await isTheImage(other, `${registry.host}/team/zstd:1`);
});

interopTest("plain root filesystems: import and podman import, files and pipes, each compression", async () => {
  const root = LAYERS[0] ?? Buffer.alloc(0);
  for (const bytes of [root, gzipSync(root), zstd(root)]) {
    const store = newStore();
    const id = (await store.ok("import", give(newPath("root.tar"), bytes), "local/root:1")).trim();
    assert.equal(await store.ok("run", "local/root:1", "cat", "/data/kept"), "kept\n");
    const child = startPycri(["import", "-"], { env: store.env });
    const outcome = outcomeOf(child);
    child.stdin?.end(bytes);
    const piped = await outcome;
    assert.equal(piped.status, 0, piped.stderr);
    assert.equal(await store.ok("run", piped.stdout.trim(), "cat", "/data/kept"), "kept\n");
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
  }
});

interopTest("a root filesystem given to load names the command that takes it", async () => {
  const { status, stderr } = await pycri(["load", "-i", give(newPath("root.tar"), LAYERS[0] ?? Buffer.alloc(0))]);
  assert.equal(status, 125);
  assert.match(stderr, /has neither index\.json nor manifest\.json\nhint: .*pycri import/);
});
