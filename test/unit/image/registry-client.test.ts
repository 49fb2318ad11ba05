/** The registry client against a server that breaks, lies and redirects, on loopback. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RegistryClient } from "../../../src/image/registry/registry-client.ts";
import { DEFAULT_TRANSPORT } from "../../../src/image/registry/transport.ts";
import { BlobIngest } from "../../../src/image/storage/blob-ingest.ts";
import { ImageStore } from "../../../src/image/storage/image-store.ts";
import { type Descriptor, MEDIA_TYPE, describe, makeDigest } from "../../../src/oci/descriptor.ts";

const content = randomBytes(300_000);
const digest = makeDigest("sha256", createHash("sha256").update(content).digest("hex"));
const layer: Descriptor = describe(MEDIA_TYPE.ociLayer, digest, content.length);

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let handler: Handler = () => {};
let server: Server;
let host = "";
let store: ImageStore;

before(async () => {
  store = await ImageStore.open(mkdtempSync(join(tmpdir(), "pycri-store-")));
  server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  host = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

async function open(credentials: "none" | "password" = "none"): Promise<RegistryClient> {
  return RegistryClient.open({
    endpoint: { host, path: "a/b", insecure: true },
    transport: { ...DEFAULT_TRANSPORT, attempts: 3, wait: async () => {} },
    credentials: async () =>
      credentials === "none" ? null : { kind: "password", username: "user", password: "secret" },
    actions: "pull",
    tlsVerify: null,
  });
}

/** Serve the blob; `spoil` decides what happens to each request for it. */
function serve(spoil: (attempt: number, range: number, response: ServerResponse) => boolean): readonly number[] {
  const offsets: number[] = [];
  handler = (request, response) => {
    if (request.url === "/v2/") {
      response.end("{}");
      return;
    }
    const range = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    offsets.push(range);
    if (spoil(offsets.length, range, response)) return;
    if (range > 0) {
      response.writeHead(206, { "content-range": `bytes ${range}-${content.length - 1}/${content.length}` });
    }
    response.end(content.subarray(range));
  };
  return offsets;
}

async function fetch(): Promise<void> {
  await using client = await open();
  const ingest = await BlobIngest.open(store, layer);
  await client.fetchBlob(layer, ingest);
  await ingest.commit("the test");
}

test("a connection that breaks is resumed where it broke", async () => {
  const offsets = serve((attempt, range, response) => {
    if (attempt > 2) return false;
    response.writeHead(range > 0 ? 206 : 200, {
      "content-length": content.length - range,
      ...(range > 0 ? { "content-range": `bytes ${range}-${content.length - 1}/${content.length}` } : {}),
    });
    response.write(content.subarray(range, range + 100_000), () => response.destroy());
    return true;
  });
  await fetch();
  assert.equal(await store.blobSize(digest), content.length);
  assert.equal(offsets.length, 3);
  assert.deepEqual(
    offsets,
    offsets.toSorted((a, b) => a - b),
  );
  assert.ok((offsets[2] ?? 0) > 0);
});

test("a server that cannot resume starts over", async () => {
  serve((attempt, _range, response) => {
    if (attempt === 1) {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000), () => response.destroy());
    } else {
      response.end(content);
    }
    return true;
  });
  await fetch();
  assert.equal(await store.blobSize(digest), content.length);
});

test("a changed byte is DIGEST_MISMATCH, and nothing of it is kept", async () => {
  const other = describe(MEDIA_TYPE.ociLayer, makeDigest("sha256", "0".repeat(64)), content.length);
  serve(() => false);
  await using client = await open();
  const ingest = await BlobIngest.open(store, other);
  await client.fetchBlob(other, ingest);
  await assert.rejects(ingest.commit("the test"), { code: "DIGEST_MISMATCH" });
  assert.equal(await store.blobSize(other.digest), null);
  assert.deepEqual(readdirSync(store.path("ingest")), []);
});

test("more bytes than promised are DIGEST_MISMATCH", async () => {
  serve((_attempt, _range, response) => {
    response.end(Buffer.concat([content, Buffer.from("more")]));
    return true;
  });
  const short = describe(MEDIA_TYPE.ociLayer, makeDigest("sha256", "1".repeat(64)), 1000);
  await using client = await open();
  const ingest = await BlobIngest.open(store, short);
  await assert.rejects(client.fetchBlob(short, ingest), { code: "DIGEST_MISMATCH" });
  assert.deepEqual(readdirSync(store.path("ingest")), []);
});

test("a server that stays broken ends in REGISTRY_FAILED after the tries", async () => {
  const offsets = serve((_attempt, _range, response) => {
    response.writeHead(503).end();
    return true;
  });
  await using client = await open();
  const ingest = await BlobIngest.open(store, { ...layer, digest: makeDigest("sha256", "2".repeat(64)) });
  await assert.rejects(client.fetchBlob(layer, ingest), { code: "REGISTRY_FAILED" });
  await ingest.discard();
  assert.equal(offsets.length, 3);
});

test("a redirect to another origin does not carry the credentials (CVE-2020-15157 class)", async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end("{}");
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const address = elsewhere.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else if (request.headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    } else response.writeHead(307, { location: `http://127.0.0.1:${port}/blob` }).end();
  };
  await using client = await open("password");
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(seen, [undefined]);
  elsewhere.closeAllConnections();
  elsewhere.close();
});

test("a manifest that is not what its digest says is DIGEST_MISMATCH", async () => {
  handler = (_request, response) => response.end("{}");
  await using client = await open();
  await assert.rejects(client.fetchManifest(`sha256:${"3".repeat(64)}`), { code: "DIGEST_MISMATCH" });
});
