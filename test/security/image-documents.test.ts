/**
 * Image archives and layouts whose documents lie: paths that lead outside, digests that are paths, documents that are two
 * things at once, descriptors that promise something else, bombs. An unprivileged user loads them; each fails with its words,
 * files outside stay as they are, and nothing of them is kept.
 */

import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { MEDIA_TYPE } from "../../src/oci/descriptor.ts";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { HOST_PLATFORM, describeBlob, sha256 } from "../support/made-image.ts";
import { command, pycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { type Member, tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";
import { newDirectory, snapshot } from "../support/unpack.ts";

const outside = makeOwned(join(scratch, "outside"));
const LAYER = tar([{ name: "secret", data: "of the host\n" }]);
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const hex = (bytes: Uint8Array): string => sha256(bytes).slice("sha256:".length);
const [os, architecture] = HOST_PLATFORM.split("/");

const configOf = (layers: readonly Buffer[], config: unknown = {}): Buffer =>
  json({ os, architecture, config, rootfs: { type: "layers", diff_ids: layers.map(sha256) } });
const CONFIG = configOf([LAYER]);
for (const [name, bytes] of [
  ["layer.tar", LAYER],
  ["config.json", CONFIG],
] as const) {
  writeFileSync(join(outside, name), bytes, { mode: 0o600 });
  chownSync(join(outside, name), caller.uid, caller.gid);
}

const docker = (entry: unknown, ...more: readonly Member[]): Member[] => [
  { name: "config.json", data: CONFIG },
  { name: "layer.tar", data: LAYER },
  ...more,
  { name: "manifest.json", data: json(entry) },
];
const entry = { Config: "config.json", RepoTags: ["example.invalid/a:1"], Layers: ["layer.tar"] };

const blob = (bytes: Buffer): Member => ({ name: `blobs/sha256/${hex(bytes)}`, data: bytes });
const manifestOf = (changes: Readonly<Record<string, unknown>> = {}): Buffer =>
  json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: describeBlob(MEDIA_TYPE.ociConfig, CONFIG),
    layers: [describeBlob(MEDIA_TYPE.ociLayer, LAYER)],
    ...changes,
  });
const indexOf = (...entries: readonly unknown[]): Member => ({
  name: "index.json",
  data: json({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: entries }),
});
/** A layout around this manifest. */
const layout = (manifest: Buffer, ...more: readonly Member[]): Member[] => [
  { name: "oci-layout", data: json({ imageLayoutVersion: "1.0.0" }) },
  blob(CONFIG),
  blob(LAYER),
  blob(manifest),
  ...more,
  indexOf(describeBlob(MEDIA_TYPE.ociManifest, manifest)),
];

interface Case {
  readonly name: string;
  readonly members: readonly Member[];
  readonly words: RegExp;
  readonly args?: readonly string[];
  /** As a directory, too. */
  readonly unpacked?: boolean;
}

const up = "../".repeat(30);

const CASES: readonly Case[] = [
  {
    name: "manifest.json with a layer by .. (CVE-2014-9358)",
    members: docker([{ ...entry, Layers: [`${up}${outside}/layer.tar`] }]),
    words: /has "\.\."|has no member/,
    unpacked: true,
  },
  {
    name: "manifest.json with a layer by its absolute path",
    members: docker([{ ...entry, Layers: [`${outside}/layer.tar`] }]),
    words: /has no member/,
    unpacked: true,
  },
  {
    name: "manifest.json with a configuration outside",
    members: docker([{ ...entry, Config: `${up}${outside}/config.json` }]),
    words: /has "\.\."|has no member/,
    unpacked: true,
  },
  {
    name: "manifest.json with a layer that is a symlink to the outside (CVE-2014-6407)",
    members: docker([{ ...entry, Layers: ["link.tar"] }], {
      name: "link.tar",
      type: "2",
      linkName: join(outside, "layer.tar"),
    }),
    words: /has no member "link\.tar"|leads outside/,
    unpacked: true,
  },
  {
    name: "manifest.json with a layer that is a symlink by ..",
    members: docker([{ ...entry, Layers: ["d/link.tar"] }], {
      name: "d/link.tar",
      type: "2",
      linkName: `${up}${outside}/layer.tar`,
    }),
    words: /has no member|leads outside/,
    unpacked: true,
  },
  {
    name: "a layer that is a fifo",
    members: docker([{ ...entry, Layers: ["fifo"] }], { name: "fifo", type: "6" }),
    words: /has no member "fifo"|is no regular file/,
    unpacked: true,
  },
  {
    name: "a member by ..",
    members: docker([entry], { name: `${up}${outside}/layer.tar`, data: "evil" }),
    words: /has "\.\."/,
  },
  { name: "manifest.json that is no list", members: docker(entry), words: /"\/manifest" must be an array/ },
  {
    name: "manifest.json that ends its wrapper early",
    members: [{ name: "manifest.json", data: '[]},"x":{' }],
    words: /is not JSON|no image/,
  },
  {
    name: "manifest.json of six megabytes (CVE-2023-25153)",
    members: [{ name: "manifest.json", data: Buffer.alloc(6 << 20, " ") }],
    words: /more than 4194304 bytes/,
  },
  {
    name: "index.json of six megabytes (CVE-2023-25153)",
    members: [{ name: "index.json", data: Buffer.alloc(6 << 20, " ") }],
    words: /more than 4194304 bytes/,
  },
  {
    name: "a configuration of another layer (CVE-2014-8179)",
    members: docker([entry], { name: "config.json", data: configOf([Buffer.from("another")]) }),
    words: /has digest "sha256:[0-9a-f]{64}", expected "sha256:/,
  },
  {
    name: "more diff ids than layers",
    members: docker([entry], { name: "config.json", data: configOf([LAYER, LAYER]) }),
    words: /1 layers and 2 diff_ids/,
  },
  {
    name: "a volume by .. (CVE-2022-23648)",
    members: docker([entry], { name: "config.json", data: configOf([LAYER], { Volumes: { "/../../../../etc": {} } }) }),
    words: /"\/config\/Volumes" "\/\.\.\/\.\.\/\.\.\/\.\.\/etc" has "\.\."/,
  },
  {
    name: "a tag that is no name",
    members: docker([{ ...entry, RepoTags: ["../../x:1"] }]),
    words: /cannot parse the image reference "\.\.\/\.\.\/x:1"/,
  },
  {
    name: "a layout's digest that is a path (CVE-2024-3727)",
    members: [indexOf({ mediaType: MEDIA_TYPE.ociManifest, digest: "sha256:../../../etc/passwd", size: 1 })],
    words: /"\/manifests\/0\/digest" must be sha256/,
    unpacked: true,
  },
  {
    name: "a layer's digest that is a path (CVE-2024-3727)",
    members: layout(
      manifestOf({
        layers: [{ ...describeBlob(MEDIA_TYPE.ociLayer, LAYER), digest: `sha256:${up}${outside}/layer.tar` }],
      }),
    ),
    words: /"\/layers\/0\/digest" must be sha256/,
    unpacked: true,
  },
  {
    name: "a digest of an algorithm nobody checks",
    members: [indexOf({ mediaType: MEDIA_TYPE.ociManifest, digest: `md5:${"0".repeat(32)}`, size: 1 })],
    words: /"\/manifests\/0\/digest" must be sha256/,
  },
  {
    name: "a manifest that is not what its digest says",
    members: layout(manifestOf(), {
      name: `blobs/sha256/${hex(manifestOf())}`,
      data: manifestOf({ annotations: { a: "b" } }),
    }),
    words: /has digest "sha256:/,
    unpacked: true,
  },
  {
    name: "a layer that is not what its digest says",
    members: layout(manifestOf(), { name: `blobs/sha256/${hex(LAYER)}`, data: tar([{ name: "evil" }]) }),
    words: /has digest|expected "sha256:/,
    unpacked: true,
  },
  {
    name: "a blob that is a symlink to the outside",
    members: [
      ...layout(manifestOf()).filter(({ name }) => !name.endsWith(hex(LAYER))),
      { name: `blobs/sha256/${hex(LAYER)}`, type: "2", linkName: join(outside, "layer.tar") },
    ],
    words: /has no member|leads outside/,
    unpacked: true,
  },
  {
    name: "a manifest that is an index at once (CVE-2021-41190)",
    members: layout(manifestOf({ manifests: [] })),
    words: /stands beside layers or config/,
  },
  {
    name: "a manifest that calls itself an index (CVE-2021-41190)",
    members: layout(manifestOf({ mediaType: MEDIA_TYPE.ociIndex })),
    words: /was served as|does not fit/,
  },
  {
    name: "a foreign layer with URLs (CVE-2020-15157)",
    members: layout(
      manifestOf({
        layers: [
          {
            ...describeBlob("application/vnd.oci.image.layer.nondistributable.v1.tar", LAYER),
            urls: ["http://127.0.0.1:1/"],
          },
        ],
      }),
    ),
    words: /"\/layers\/0" is a foreign layer/,
  },
  {
    name: "an artifact that is no image",
    members: layout(manifestOf({ config: describeBlob("application/vnd.example.config", CONFIG) })),
    words: /this is an artifact/,
  },
  {
    name: "an index that leads to an index that leads to an index",
    members: nestedIndex(),
    words: /leads through another to a third/,
  },
  {
    name: "many members (limit)",
    members: [...Array.from({ length: 30 }, (_, index) => ({ name: `f${index}` })), ...docker([entry])],
    words: /limit entries=20/,
    args: ["--unpack-limit", "entries=20"],
  },
  {
    name: "large members that nobody asks for (limit)",
    members: docker([entry], { name: "ballast", data: Buffer.alloc(200_000, 1) }),
    words: /limit bytes=100000/,
    args: ["--unpack-limit", "bytes=100000"],
  },
  {
    name: "a sparse member",
    members: docker([entry], { name: "layer.tar", data: "", pax: { "GNU.sparse.size": "9", "GNU.sparse.map": "" } }),
    words: /is a sparse file/,
  },
  {
    name: "schema 1",
    members: layout(json({ schemaVersion: 1, fsLayers: [] })),
    words: /its manifest is Docker's schema 1/,
  },
];

function nestedIndex(): Member[] {
  const nested = (digest: string, size: number): Buffer =>
    json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [{ mediaType: MEDIA_TYPE.ociIndex, digest, size, platform: { os, architecture } }],
    });
  const third = nested(`sha256:${"0".repeat(64)}`, 1);
  const second = nested(sha256(third), third.length);
  return [blob(third), blob(second), indexOf(describeBlob(MEDIA_TYPE.ociIndex, second))];
}

/** The members as files; names by ".." have none. */
async function writeDirectory(members: readonly Member[]): Promise<string> {
  const folder = newDirectory();
  for (const { name, type, data, linkName } of members) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    if (type === "2") symlinkSync(linkName ?? "", path);
    else if (type === "6") await command(["mkfifo", path]);
    else writeFileSync(path, data ?? "");
  }
  return folder;
}

let count = 0;

async function refuses(source: string, { words, args = [] }: Case): Promise<void> {
  const data = makeOwned(join(scratch, `data-${count++}`));
  const before = snapshot(outside);
  const { status, stderr } = await pycri(["load", ...args, "-i", source], { env: { XDG_DATA_HOME: data } });
  assert.equal(status, 125, stderr);
  assert.match(stderr, words);
  assert.doesNotMatch(stderr, /internal error/);
  assert.deepEqual(snapshot(outside), before);
  for (const area of ["ingest", "staging", "layers"]) assert.deepEqual(readdirSync(join(data, "pycri", area)), []);
  assert.equal((await pycri(["images", "-q"], { env: { XDG_DATA_HOME: data } })).stdout, "");
}

for (const example of CASES) {
  kernelTest(`${example.name}: refused`, async () => {
    const file = join(newDirectory(), "image.tar");
    writeFileSync(file, tar(example.members));
    await refuses(file, example);
    if (example.unpacked === true) await refuses(await writeDirectory(example.members), example);
  });
}

kernelTest("the same documents without a lie are loaded, as archive and as directory", async () => {
  for (const members of [docker([entry]), layout(manifestOf())]) {
    const file = join(newDirectory(), "image.tar");
    writeFileSync(file, tar(members));
    for (const source of [file, await writeDirectory(members)]) {
      const data = makeOwned(join(scratch, `data-${count++}`));
      const { status, stderr } = await pycri(["load", "-i", source], { env: { XDG_DATA_HOME: data } });
      assert.equal(status, 0, stderr);
    }
  }
});

kernelTest(
  "an archive that is a compression bomb is stopped before its members are read (CVE-2017-14992)",
  async () => {
    const file = join(newDirectory(), "image.tar.gz");
    writeFileSync(file, gzipSync(tar([{ name: "zeros", data: Buffer.alloc(260 << 20) }])));
    await refuses(file, { name: "", members: [], words: /limit ratio=100/, args: ["--unpack-limit", "ratio=100"] });
  },
);

kernelTest("a user beyond 32 bits is nobody, and not root (CVE-2024-40635)", async () => {
  const layer = busyboxLayer();
  for (const user of ["4294967296", "4294967295", "0:4294967296"]) {
    const file = join(newDirectory(), "image.tar");
    const members = [
      { name: "layer.tar", data: layer },
      { name: "config.json", data: configOf([layer], { User: user, Cmd: ["id"] }) },
      { name: "manifest.json", data: json([entry]) },
    ];
    writeFileSync(file, tar(members));
    const env = { XDG_DATA_HOME: makeOwned(join(scratch, `data-${count++}`)) };
    assert.equal((await pycri(["load", "-i", file], { env })).status, 0);
    const { status, stdout, stderr } = await pycri(["run", "example.invalid/a:1"], { env });
    assert.deepEqual([status, stdout], [125, ""], stderr);
    assert.match(stderr, /user|group/i);
  }
});
