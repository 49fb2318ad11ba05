/** What a pull shows while it goes on: a bar for each layer on a terminal, a line for each layer anywhere else. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { type Server, createServer } from "node:http";
import { after, afterEach, before } from "node:test";
import { kernelTest } from "../support/kernel-test.ts";
import { outcomeOf, pycri } from "../support/run.ts";
import { tar } from "../support/tar.ts";
import { Terminal } from "../support/terminal.ts";

const LAYER = tar([{ name: "random", data: randomBytes(2_000_000) }]);

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const describe = (type: string, bytes: Uint8Array): object => ({
  mediaType: `application/vnd.oci.image.${type}`,
  digest: digestOf(bytes),
  size: bytes.byteLength,
});

const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [digestOf(LAYER)] },
  }),
);
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: describe("config.v1+json", CONFIG),
    layers: [describe("layer.v1.tar", LAYER)],
  }),
);

let server: Server;
let image = "";
/** The second half of the layer comes when this is called. */
let release: () => void = () => {};

before(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? "";
    if (url.includes("/manifests/")) {
      response.writeHead(200, { "content-type": "application/vnd.oci.image.manifest.v1+json" }).end(MANIFEST);
    } else if (url.includes(digestOf(CONFIG))) {
      response.writeHead(200, { "content-length": CONFIG.byteLength }).end(CONFIG);
    } else if (url.includes(digestOf(LAYER))) {
      response.writeHead(200, { "content-length": LAYER.byteLength });
      response.write(LAYER.subarray(0, LAYER.byteLength / 2));
      release = () => response.end(LAYER.subarray(LAYER.byteLength / 2));
      if (gate === "open") release();
    } else {
      response.writeHead(200).end("{}");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  image = `127.0.0.1:${typeof address === "object" ? address?.port : 0}/a:1`;
});

let gate: "open" | "shut" = "open";

after(() => {
  server.closeAllConnections();
  server.close();
});

afterEach(async () => {
  await pycri(["image", "prune", "--all"]);
});

const id = digestOf(LAYER).slice("sha256:".length, "sha256:".length + 12);

kernelTest("on a terminal a bar grows, with bytes and rate, in its own line", async () => {
  gate = "shut";
  using terminal = new Terminal();
  const child = terminal.start(["pull", image]);
  const ended = outcomeOf(child);
  await terminal.sees(new RegExp(`${id}: Downloading \\[={15} {15}\\] 1MB/2MB [\\d.]+[kM]?B/s`));
  assert.doesNotMatch(terminal.output, /Extracting|Pull complete/);
  release();
  assert.equal((await ended).status, 0);
  await terminal.sees(`${id}: Pull complete`);
  // One line, drawn again and again from its beginning.
  assert.match(terminal.output, new RegExp(`\\u001b\\[1F\\u001b\\[2K${id}: Pull complete`));
  await terminal.sees(/Status: Downloaded newer image for 127\.0\.0\.1/);
});

kernelTest("anywhere else there are plain lines, and none with --quiet", async () => {
  gate = "open";
  const { stdout, stderr } = await pycri(["pull", image]);
  assert.equal(stderr, `1: Pulling from ${image.slice(0, -":1".length)}\n${id}: Pull complete\n`);
  assert.equal(stdout, `Digest: ${digestOf(MANIFEST)}\nStatus: Downloaded newer image for ${image}\n${image}\n`);
  const again = await pycri(["pull", image]);
  assert.equal(again.stderr, `1: Pulling from ${image.slice(0, -":1".length)}\n`);
  assert.match(again.stdout, /Status: Image is up to date for/);
  assert.deepEqual(await pycri(["pull", "-q", image]), { status: 0, signal: null, stdout: `${image}\n`, stderr: "" });
});
