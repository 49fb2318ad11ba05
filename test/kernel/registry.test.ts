/**
 * Pulling from and pushing to a real registry, as an unprivileged user, with a proxy in between that cuts, corrupts, delays,
 * redirects and lies. Every pull goes into a store of its own.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MEDIA_TYPE } from "../../src/oci/descriptor.ts";
import { caller } from "../support/caller.ts";
import { until } from "../support/leftovers.ts";
import { reasonToSkip } from "../support/kernel-test.ts";
import {
  HOST_PLATFORM,
  type MadeImage,
  describeBlob,
  makeImage,
  makeIndex,
  uploadImage,
  uploadManifest,
} from "../support/made-image.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/proxies.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { type Outcome, outcomeOf, pycri, startPycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const skip = reasonToSkip(["registry", "skopeo"]);
const registryTest = (name: string, body: () => Promise<void>): void => void test(name, { skip }, body);

let registry: Registry;
let proxy: FaultyProxy;

before(async () => {
  if (skip !== false) return;
  registry = await startRegistry();
  proxy = await startFaultyProxy(registry.port);
});

after(async () => {
  if (skip !== false) return;
  await proxy.stop();
  await registry.stop();
});

let stores = 0;

/** A store of its own, and what uses it. */
function newStore(): {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  run(...args: readonly string[]): Promise<Outcome>;
  ok(...args: readonly string[]): Promise<string>;
  fails(words: RegExp, ...args: readonly string[]): Promise<string>;
  /** Files in an area of the store. */
  list(...area: readonly string[]): readonly string[];
} {
  const data = makeOwned(join(scratch, `data-${stores++}`));
  const env = { XDG_DATA_HOME: data };
  const folder = join(data, "pycri");
  const run = (...args: readonly string[]): Promise<Outcome> => pycri(args, { env });
  return {
    folder,
    env,
    run,
    ok: async (...args) => {
      const { status, stdout, stderr } = await run(...args);
      assert.equal(status, 0, stderr);
      return stdout;
    },
    fails: async (words, ...args) => {
      const { status, stderr } = await run(...args);
      assert.equal(status, 125, stderr);
      assert.match(stderr, words);
      return stderr;
    },
    list: (...area) => readdirSync(join(folder, ...area)),
  };
}

type Store = ReturnType<typeof newStore>;

/** Nothing of a failed pull is there, but for documents that were right. */
function keepsNothing(store: Store, ...digests: readonly string[]): void {
  assert.deepEqual(store.list("layers"), []);
  assert.deepEqual(store.list("staging"), []);
  assert.deepEqual(store.list("ingest"), []);
  const blobs = store.list("blobs", "sha256");
  for (const digest of digests) assert.ok(!blobs.includes(digest.replace("sha256:", "")), `${digest} was kept`);
}

const random = (size: number): Buffer => tar([{ name: "random", data: randomBytes(size) }]);
const words = (text: string): Buffer => tar([{ name: "text", data: text }]);

registryTest("what is pushed is what was pulled, in OCI's and in Docker's format", async () => {
  for (const format of ["oci", "docker"] as const) {
    const image = makeImage({ layers: [busyboxLayer(), words("two")], config: { Cmd: ["cat", "text"] }, format });
    await uploadImage(registry.host, `equal/${format}`, "1", image);
    const store = newStore();
    assert.equal(await store.ok("run", `${registry.host}/equal/${format}:1`), "two");
    await store.ok("push", `${registry.host}/equal/${format}:1`, `${registry.host}/pushed/${format}:2`);
    const raw = (name: string): Buffer =>
      execFileSync("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${registry.host}/${name}`]);
    assert.ok(raw(`pushed/${format}:2`).equals(image.bytes));
    const other = newStore();
    assert.equal(await other.ok("run", `${registry.host}/pushed/${format}@${image.digest}`), "two");
    // Everything is there already: nothing but questions.
    const before = proxy.log.length;
    await store.ok("push", `${registry.host}/equal/${format}:1`, `${proxy.host}/pushed/${format}:3`);
    assert.deepEqual(
      proxy.log.slice(before).filter((line) => /^(POST|PATCH)/.test(line)),
      [],
    );
  }
});

registryTest("a blob that another repository of the registry has is mounted, its base image's too", async () => {
  proxy.spoil = (_request, _response, pass) => pass();
  const base = makeImage({ layers: [busyboxLayer(), words("base")], config: { Cmd: ["cat", "text"] } });
  await uploadImage(registry.host, "mount/base", "1", base);
  const store = newStore();
  await store.ok("run", "--name", "mount", `${proxy.host}/mount/base:1`, "sh", "-c", "echo new >/text");
  await store.ok("commit", "mount", "made");
  const uploads = async (target: string): Promise<readonly string[]> => {
    const from = proxy.log.length;
    await store.ok("push", "made", `${proxy.host}/${target}`);
    return proxy.log.slice(from).filter((line) => /^(POST|PATCH|PUT).*\/blobs\//.test(line));
  };
  const first = await uploads("mount/new:1");
  const bases = base.layers.map(({ digest }) => digest).toSorted();
  assert.deepEqual(
    first
      .flatMap((line) => /^POST .*mount=(\S+)&from=mount%2Fbase$/.exec(line)?.[1] ?? [])
      .map(decodeURIComponent)
      .toSorted(),
    bases,
  );
  // What is new: the changes and the configuration.
  assert.deepEqual([count(first, /^PATCH/), count(first, /^PUT/)], [2, 2]);
  // Of the pushed image itself every blob is known.
  const second = await uploads("mount/third:1");
  assert.deepEqual([count(second, /^POST .*mount=/), count(second, /^(PATCH|PUT)/)], [4, 0]);
  assert.equal(await newStore().ok("run", `${proxy.host}/mount/third:1`), "new\n");
  // A registry that does not mount begins an upload instead, which is used.
  proxy.spoil = (request, _response, pass) => {
    request.url = request.url?.replace(/\?mount=.*/, "") ?? "";
    pass();
  };
  const plain = await uploads("mount/plain:1");
  assert.deepEqual([count(plain, /^POST/), count(plain, /^PATCH/), count(plain, /^PUT/)], [4, 4, 4]);
  await store.ok("rm", "mount");
});

const count = (lines: readonly string[], pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;

registryTest("an upload that breaks is taken up, or begun anew where the registry has lost it", async () => {
  const image = makeImage({ layers: [random(2_000_000)] });
  await uploadImage(registry.host, "upload/source", "1", image);
  for (const reaches of [false, true]) {
    const store = newStore();
    await store.ok("pull", `${registry.host}/upload/source:1`);
    let broken = 0;
    proxy.spoil = (request, response, pass) => {
      if (request.method !== "PATCH" || Number(request.headers["content-length"]) < 1_000_000 || broken++ > 0)
        return pass();
      if (reaches) pass();
      // The connection ends while the blob is under way.
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 500_000) response.destroy();
      });
    };
    const from = proxy.log.length;
    await store.ok("push", `${registry.host}/upload/source:1`, `${proxy.host}/upload/broken-${reaches}:1`);
    assert.ok(count(proxy.log.slice(from), /^GET .*\/blobs\/uploads\//) === 1, proxy.log.slice(from).join("\n"));
    proxy.spoil = (_request, _response, pass) => pass();
    const back = newStore();
    await back.ok("pull", `${registry.host}/upload/broken-${reaches}:1`);
    assert.equal(await back.ok("system", "check"), "");
  }
});

/** The digest in the URL of a blob, or null. */
const blobOf = (url = ""): string | null => /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url)?.[1] ?? null;

registryTest("a connection that breaks is taken up where it broke, by Range", async () => {
  const image = makeImage({ layers: [random(2_000_000)] });
  await uploadImage(registry.host, "broken", "1", image);
  let cuts = 0;
  proxy.spoil = async (request, response, pass, body) => {
    if (blobOf(request.url) !== image.layers[0]?.digest || cuts === 1) return pass();
    cuts++;
    const bytes = await body();
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 700_000), () => response.destroy());
  };
  const store = newStore();
  const from = proxy.log.length;
  await store.ok("pull", `${proxy.host}/broken:1`);
  const fetches = proxy.log.slice(from).filter((line) => line.includes(image.layers[0]?.digest ?? "none"));
  assert.equal(fetches.length, 2);
  const offset = Number(/bytes=(\d+)-$/.exec(fetches[1] ?? "")?.[1]);
  assert.ok(offset > 0 && offset <= 700_000, fetches[1]);
  assert.equal(await store.ok("system", "check"), "");
});

registryTest("a pull that was killed is taken up by the next one", async () => {
  const image = makeImage({ layers: [random(2_000_000)] });
  await uploadImage(registry.host, "killed", "1", image);
  const store = newStore();
  const stalled = new Promise<void>((resolve) => {
    proxy.spoil = async (request, response, pass, body) => {
      if (blobOf(request.url) !== image.layers[0]?.digest) return pass();
      const bytes = await body();
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 700_000), () => resolve());
    };
  });
  const child = startPycri(["pull", `${proxy.host}/killed:1`], { env: store.env });
  const outcome = outcomeOf(child);
  await stalled;
  // The bytes have left here; some of them lie in the store when its partial file has begun to grow.
  const partial = join(store.folder, "ingest", `${image.layers[0]?.digest.replace("sha256:", "")}.partial`);
  await until(
    "the partial file grows",
    () => statSync(partial, { throwIfNoEntry: false })?.size !== undefined && statSync(partial).size > 0,
  );
  child.kill("SIGKILL");
  assert.equal((await outcome).signal, "SIGKILL");
  proxy.spoil = (_request, _response, pass) => pass();
  const from = proxy.log.length;
  await store.ok("pull", `${proxy.host}/killed:1`);
  const [fetched] = proxy.log.slice(from).filter((line) => line.includes(image.layers[0]?.digest ?? "none"));
  assert.match(fetched ?? "", /bytes=[1-9]\d*-$/);
  assert.equal(await store.ok("system", "check"), "");
});

registryTest("a corrupted layer is refused by its digest, and nothing of it is kept", async () => {
  const image = makeImage({ layers: [words("first"), random(300_000)] });
  await uploadImage(registry.host, "corrupt", "1", image);
  const spoiled = image.layers[1]?.digest ?? "";
  for (const spoil of [
    (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, index) => (index === 150_000 ? byte ^ 1 : byte))),
    (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.from("more")]),
  ]) {
    proxy.spoil = async (request, response, pass, body) => {
      if (blobOf(request.url) !== spoiled) return pass();
      response.end(spoil(await body()));
    };
    const store = newStore();
    await store.fails(new RegExp(`${spoiled}`), "pull", `${proxy.host}/corrupt:1`);
    assert.deepEqual(store.list("ingest"), []);
    assert.deepEqual(store.list("staging"), []);
    assert.ok(!store.list("blobs", "sha256").includes(spoiled.replace("sha256:", "")));
    assert.equal(await store.ok("images", "-q"), "");
    assert.equal(await store.ok("system", "check"), "");
  }
});

registryTest("a corrupted configuration, and a manifest that is not what its digest says", async () => {
  const image = makeImage({ layers: [words("x")] });
  await uploadImage(registry.host, "documents", "1", image);
  const store = newStore();
  proxy.spoil = async (request, response, pass, body) => {
    if (blobOf(request.url) !== image.config.digest) return pass();
    response.end(Buffer.from((await body()).toString("latin1").replace("linux", "Linux"), "latin1"));
  };
  await store.fails(new RegExp(`has digest|${image.config.digest}`), "pull", `${proxy.host}/documents:1`);
  keepsNothing(store, image.config.digest);
  proxy.spoil = (request, response, pass) => {
    if (request.url?.includes("/manifests/") !== true) return pass();
    response.writeHead(200, { "content-type": image.mediaType });
    response.end(`${image.bytes.toString()}\n`);
  };
  await store.fails(
    /has digest "sha256:[0-9a-f]{64}", expected "sha256:/,
    "pull",
    `${proxy.host}/documents@${image.digest}`,
  );
  keepsNothing(store, image.config.digest);
});

registryTest("layers are fetched side by side, three at once", async () => {
  const image = makeImage({ layers: ["a", "b", "c", "d", "e"].map(words) });
  await uploadImage(registry.host, "parallel", "1", image);
  const layers = image.layers.map(({ digest }) => digest);
  let waiting: (() => void)[] = [];
  let most = 0;
  let now = 0;
  proxy.spoil = (request, response, pass) => {
    if (!layers.includes(blobOf(request.url) ?? "")) return pass();
    most = Math.max(most, ++now);
    response.on("close", () => now--);
    // The first ones are answered when three are there; one at a time would wait for ever.
    waiting.push(pass);
    if (proxy.log.filter((line) => layers.some((digest) => line.endsWith(digest))).length < 3) return;
    for (const go of waiting) go();
    waiting = [];
  };
  await newStore().ok("pull", `${proxy.host}/parallel:1`);
  assert.equal(most, 3);
});

registryTest("a blob that is redirected to another host comes without the registry's credentials", async () => {
  const image = makeImage({ layers: [words("elsewhere")] });
  await uploadImage(registry.host, "redirect", "1", image);
  const storage = await startFaultyProxy(registry.port);
  const seen: (readonly [string | undefined, string | undefined])[] = [];
  storage.spoil = (request, response) => {
    seen.push([request.url, request.headers.authorization]);
    response.end(image.blobs.get(blobOf(request.url) ?? ""));
  };
  const login = `Basic ${Buffer.from("user:secret").toString("base64")}`;
  let authorized = 0;
  proxy.spoil = (request, response, pass) => {
    if (request.url === "/v2/") return pass();
    if (request.headers.authorization !== login) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    authorized++;
    if (blobOf(request.url) === null) pass();
    else response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
  };
  await newStore().ok("pull", "--creds", "user:secret", `${proxy.host}/redirect:1`);
  assert.equal(authorized, 3);
  assert.deepEqual(
    seen.map(([url]) => blobOf(url)).toSorted(),
    [image.config.digest, ...image.layers.map(({ digest }) => digest)].toSorted(),
  );
  assert.ok(seen.every(([, authorization]) => authorization === undefined));
  await storage.stop();
});

/** Serve this instead of every manifest. */
function serveManifest(document: unknown, contentType: string): void {
  proxy.spoil = (request, response, pass) => {
    if (request.url?.includes("/manifests/") !== true) return pass();
    response.writeHead(200, { "content-type": contentType });
    response.end(typeof document === "string" ? document : JSON.stringify(document));
  };
}

registryTest("schema 1 is refused with what to do about it", async () => {
  const document = { schemaVersion: 1, name: "old", tag: "1", fsLayers: [], history: [], signatures: [] };
  for (const type of [MEDIA_TYPE.dockerSchema1Signed, "application/json"]) {
    serveManifest(document, type);
    const stderr = await newStore().fails(/its manifest is Docker's schema 1$/m, "pull", `${proxy.host}/old:1`);
    assert.match(stderr, /^hint: .*rebuild the image/m);
  }
});

registryTest("foreign layers are refused, and their URLs are not asked (CVE-2020-15157)", async () => {
  const image = makeImage({ layers: [words("x")] });
  const elsewhere = await startFaultyProxy(registry.port);
  const manifest = JSON.parse(image.bytes.toString()) as { layers: unknown[] };
  const urls = [`http://${elsewhere.host}/layer`];
  for (const layer of [
    { ...image.layers[0], mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls },
    { ...image.layers[0], urls },
  ]) {
    serveManifest({ ...manifest, layers: [layer] }, image.mediaType);
    const store = newStore();
    await store.fails(/foreign layer|HTTP 404/, "pull", `${proxy.host}/foreign:1`);
    keepsNothing(store);
  }
  assert.deepEqual(elsewhere.log, []);
  await elsewhere.stop();
});

registryTest(
  "documents that confuse: two kinds at once, another type than served, counts that differ (CVE-2021-41190)",
  async () => {
    const image = makeImage({ layers: [words("x")] });
    await uploadImage(registry.host, "confused", "1", image);
    const manifest = JSON.parse(image.bytes.toString()) as Record<string, unknown>;
    const entry = {
      ...describeBlob(image.mediaType, image.bytes),
      platform: { os: "linux", architecture: HOST_PLATFORM.slice(6) },
    };
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex };
    const indexOnce = (document: unknown): void => {
      proxy.spoil = (request, response, pass) => {
        if (request.url?.endsWith("/manifests/1") !== true) return pass();
        response.writeHead(200, { "content-type": MEDIA_TYPE.ociIndex });
        response.end(JSON.stringify(document));
      };
    };
    for (const [serve, expected] of [
      [
        () => serveManifest({ ...manifest, manifests: [entry] }, image.mediaType),
        /"\/manifests" stands beside layers or config/,
      ],
      [() => serveManifest(manifest, MEDIA_TYPE.ociIndex), /was served as/],
      [() => serveManifest({ ...manifest, mediaType: MEDIA_TYPE.ociIndex }, MEDIA_TYPE.ociIndex), /does not fit/],
      [() => serveManifest({ ...manifest, layers: [] }, image.mediaType), /0 layers and 1 diff_ids/],
      [
        () => serveManifest({ ...manifest, config: { ...image.config, size: 5_000_000 } }, image.mediaType),
        /"\/config\/size"/,
      ],
      [
        () => serveManifest({ ...manifest, config: { ...image.config, size: 3 } }, image.mediaType),
        /longer than the 3 bytes/,
      ],
      [() => serveManifest("<html>", image.mediaType), /it is not JSON/],
      [() => indexOnce({ ...index, manifests: [{ ...entry, size: 7 }] }), /the size in its index is 7/],
      [
        () => indexOnce({ ...index, manifests: [{ ...entry, mediaType: MEDIA_TYPE.dockerManifest }] }),
        /the mediaType in its index/,
      ],
      [() => indexOnce({ ...index, manifests: [{ ...entry, digest: "sha256:../../x" }] }), /"\/manifests\/0\/digest"/],
    ] as const) {
      serve();
      const store = newStore();
      await store.fails(expected, "pull", `${proxy.host}/confused:1`);
      keepsNothing(store);
    }
  },
);

registryTest("a layer that claims more than the limit is not fetched", async () => {
  const image = makeImage({ layers: [random(10_000)] });
  await uploadImage(registry.host, "large", "1", image);
  proxy.spoil = (_request, _response, pass) => pass();
  const from = proxy.log.length;
  await newStore().fails(/limit bytes=5000/, "pull", "--unpack-limit", "bytes=5000", `${proxy.host}/large:1`);
  assert.deepEqual(
    proxy.log.slice(from).filter((line) => line.includes("/blobs/")),
    [],
  );
});

registryTest("an index gives the manifest for the platform, the nearest variant before the others", async () => {
  const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v5", "linux/arm/v7", "windows/amd64"];
  const images = platforms.map((platform) => [platform, makeImage({ layers: [words(platform)], platform })] as const);
  for (const format of ["oci", "docker"] as const) {
    for (const [, image] of images) await uploadImage(registry.host, `index/${format}`, "part", image);
    const index = makeIndex(images, format);
    await uploadManifest(registry.host, `index/${format}`, "1", index);
    const name = `${registry.host}/index/${format}:1`;
    const store = newStore();
    const asks = [
      [null, HOST_PLATFORM],
      ["arm64", "linux/arm64"],
      ["linux/aarch64/v8", "linux/arm64"],
      ["linux/arm", "linux/arm/v7"],
      ["linux/arm/v6", "linux/arm/v5"],
      ["linux/amd64/v3", "linux/amd64"],
      ["windows/amd64", "windows/amd64"],
    ] as const;
    for (const [asked, expected] of format === "oci" ? asks : asks.slice(0, 2)) {
      const output = await store.ok("pull", ...(asked === null ? [] : ["--platform", asked]), name);
      assert.match(output, new RegExp(`^Digest: ${index.digest}$`, "m"));
      const [, wanted] = images.find(([platform]) => platform === expected) ?? [];
      assert.equal(
        await store.ok("image", "inspect", "--format", "{{.Id}}", name),
        `${wanted?.config.digest}\n`,
        asked ?? "default",
      );
    }
    const stderr = await store.fails(/has nothing for linux\/s390x/, "pull", "--platform", "linux/s390x", name);
    assert.match(stderr, /^hint: It has: linux\/amd64, linux\/arm64, linux\/arm\/v5, /m);
    await store.fails(/has nothing for linux\/arm\/v4/, "pull", "--platform", "linux/arm/v4", name);
  }
});

registryTest("a single manifest for another platform is taken only when that is asked for", async () => {
  const image = makeImage({ layers: [words("x")], platform: "linux/s390x" });
  await uploadImage(registry.host, "single", "1", image);
  const store = newStore();
  const stderr = await store.fails(/is for linux\/s390x, not for/, "pull", `${registry.host}/single:1`);
  assert.match(stderr, /--platform linux\/s390x/);
  await store.ok("pull", "--platform", "linux/s390x", `${registry.host}/single:1`);
});

registryTest("--pull: missing, never, newer and always", async () => {
  const version = (text: string): MadeImage =>
    makeImage({ layers: [busyboxLayer(), words(text)], config: { Cmd: ["cat", "text"] } });
  const name = `${proxy.host}/policy:1`;
  const store = newStore();
  proxy.spoil = (_request, _response, pass) => pass();
  await store.fails(/no image .* is stored/i, "run", "--pull", "never", name);
  await uploadImage(registry.host, "policy", "1", version("one"));
  assert.equal(await store.ok("run", "--pull", "newer", name), "one");
  await uploadImage(registry.host, "policy", "1", version("two"));
  const asks = async (...args: readonly string[]): Promise<readonly [output: string, requests: number]> => {
    const from = proxy.log.length;
    return [await store.ok("run", ...args, name), proxy.log.length - from];
  };
  assert.deepEqual(await asks(), ["one", 0]);
  assert.deepEqual(await asks("--pull", "never"), ["one", 0]);
  assert.equal((await asks("--pull", "newer"))[0], "two");
  // The same digest: its manifest is all that is asked for.
  assert.deepEqual(await asks("--pull", "newer"), ["two", 1]);
  assert.deepEqual(await asks("--pull", "always"), ["two", 1]);
  // A registry that refuses: newer is content, always is not.
  proxy.spoil = (_request, response) => void response.writeHead(404).end();
  await store.fails(/HTTP 404/, "run", "--pull", "always", name);
  proxy.spoil = (_request, response) => void response.writeHead(400).end();
  assert.equal((await asks("--pull", "newer"))[0], "two");
  // A registry that is away: nothing listens on port 1.
  const away = "127.0.0.1:1/away:1";
  await store.ok("tag", name, away);
  assert.equal(await store.ok("run", "--pull", "newer", away), "two");
  await store.fails(/cannot reach "http:\/\/127\.0\.0\.1:1": ECONNREFUSED/, "run", "--pull", "always", away);
});

registryTest(
  "a stored image for another platform is not what missing asks for, and runs with --platform alone",
  async () => {
    const other = process.arch === "arm64" ? "linux/amd64" : "linux/arm64";
    const images = [other, HOST_PLATFORM].map(
      (platform) =>
        [
          platform,
          makeImage({ layers: [busyboxLayer(), words(platform)], config: { Cmd: ["cat", "text"] }, platform }),
        ] as const,
    );
    for (const [, image] of images) await uploadImage(registry.host, "stored", "part", image);
    await uploadManifest(registry.host, "stored", "1", makeIndex(images));
    proxy.spoil = (_request, _response, pass) => pass();
    const name = `${proxy.host}/stored:1`;
    const store = newStore();
    // The files are this machine's, whatever the image says.
    assert.equal(await store.ok("run", "--platform", other, name), other);
    assert.equal(await store.ok("run", "--platform", HOST_PLATFORM, name), HOST_PLATFORM);
    const from = proxy.log.length;
    assert.equal(await store.ok("run", name), HOST_PLATFORM);
    assert.equal(proxy.log.length, from);
  },
);

registryTest(
  "registries.conf.d adds to registries.conf of the configuration directory, in the order of names",
  async () => {
    const image = makeImage({ layers: [busyboxLayer(), words("by alias")], config: { Cmd: ["cat", "text"] } });
    await uploadImage(registry.host, "drop/in", "1", image);
    const config = makeOwned(join(scratch, "drop-in"));
    const folder = makeOwned(join(config, "containers"));
    const give = (path: string, text: string): void => {
      writeFileSync(path, text);
      chownSync(path, caller.uid, caller.gid);
    };
    give(join(folder, "registries.conf"), 'unqualified-search-registries = ["nowhere.invalid"]\n');
    const more = makeOwned(join(folder, "registries.conf.d"));
    give(join(more, "10-first.conf"), '[aliases]\n"short" = "nowhere.invalid/x"\n');
    give(join(more, "20-second.conf"), `[aliases]\n"short" = "${registry.host}/drop/in:1"\n`);
    give(join(more, "30-not"), '[aliases]\n"short" = "nowhere.invalid/y"\n');
    const { env } = newStore();
    const { status, stdout, stderr } = await pycri(["run", "short"], { env: { ...env, XDG_CONFIG_HOME: config } });
    assert.deepEqual([status, stdout], [0, "by alias"], stderr);
  },
);

registryTest("registries.conf: search list, aliases, mirrors, another location, blocked", async () => {
  const image = (text: string): MadeImage =>
    makeImage({ layers: [busyboxLayer(), words(text)], config: { Cmd: ["cat", "text"] } });
  await uploadImage(registry.host, "found/tool", "latest", image("searched"));
  await uploadImage(registry.host, "mirror/x", "1", image("mirror"));
  await uploadImage(registry.host, "real/x", "1", image("real"));
  await uploadImage(registry.host, "real/y", "1", image("only in the real one"));
  proxy.spoil = (_request, _response, pass) => pass();
  const file = join(scratch, "registries.conf");
  const text = `
unqualified-search-registries = ["${proxy.host}", "${registry.host}"]
[aliases]
"short" = "${registry.host}/real/x:1"
[[registry]]
prefix = "example.invalid/team"
location = "${registry.host}/real"
insecure = true
[[registry.mirror]]
location = "${proxy.host}/mirror"
insecure = true
[[registry]]
location = "${registry.host}/found/blocked"
blocked = true
`;
  writeFileSync(file, text);
  chownSync(file, caller.uid, caller.gid);
  const store = newStore();
  const run = async (...args: readonly string[]): Promise<Outcome> =>
    pycri(args, { env: { ...store.env, CONTAINERS_REGISTRIES_CONF: file } });
  const ok = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  assert.equal(await ok("run", "short"), "real");
  assert.equal(await ok("run", "example.invalid/team/x:1"), "mirror");
  assert.equal(await ok("run", "example.invalid/team/y:1"), "only in the real one");
  assert.match(await ok("images"), /^example\.invalid\/team\/y +1 /m);
  proxy.spoil = (_request, response) => void response.writeHead(404).end();
  assert.equal(await ok("run", "found/tool"), "searched");
  const blocked = await run("pull", `${registry.host}/found/blocked`);
  assert.equal(blocked.status, 125);
  assert.match(blocked.stderr, /registries\.conf blocks/);
  writeFileSync(file, `short-name-mode = "enforcing"\n${text}`);
  const enforced = await run("pull", "found/tool");
  assert.equal(enforced.status, 125);
  assert.match(enforced.stderr, /the short name "found\/tool" may mean .* or /);
});
