/** Uploads to a registry of the test's own, which breaks, forgets and takes small pieces only. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { RegistryClient } from "../../../src/image/registry/registry-client.ts";
import { DEFAULT_TRANSPORT } from "../../../src/image/registry/transport.ts";
import { MEDIA_TYPE, describe, makeDigest } from "../../../src/oci/descriptor.ts";

const content = randomBytes(20_000_000);
const digest = makeDigest("sha256", createHash("sha256").update(content).digest("hex"));
const layer = describe(MEDIA_TYPE.ociLayer, digest, content.length);

type Handler = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

let server: Server;
let host = "";
/** Method, path and Content-Range of what came. */
let log: string[] = [];
let uploads = 0;
let arrived: Buffer = Buffer.alloc(0);
let waits: (readonly [attempt: number, retryAfter: number | null])[] = [];
/** Answers a request, or leaves it to the registry by false. */
let spoil: Handler = () => false;
let minimum = "";

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const range = request.headers["content-range"];
  if (request.url === "/v2/") return void response.end("{}");
  log.push(`${request.method} ${request.url?.replace("/v2/a/b/blobs/", "")}${range === undefined ? "" : ` ${range}`}`);
  if (await spoil(request, response)) return;
  const headers = (): Record<string, string> => ({
    location: `/v2/a/b/blobs/uploads/${uploads}`,
    range: `0-${Math.max(arrived.length - 1, 0)}`,
    ...(minimum === "" ? {} : { "oci-chunk-min-length": minimum }),
  });
  switch (request.method) {
    case "POST":
      uploads++;
      arrived = Buffer.alloc(0);
      return void response.writeHead(202, headers()).end();
    case "PATCH": {
      const start = Number(/^(\d+)-/.exec(range ?? "0-")?.[1]);
      const bytes = await bodyOf(request);
      if (start !== arrived.length) return void response.writeHead(416, headers()).end();
      arrived = Buffer.concat([arrived, bytes]);
      return void response.writeHead(202, headers()).end();
    }
    case "GET":
      return void response.writeHead(204, headers()).end();
    default:
      return void response.writeHead(arrived.equals(content) ? 201 : 400).end();
  }
}

before(async () => {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  log = [];
  waits = [];
  uploads = 0;
  minimum = "";
  spoil = () => false;
});

async function push(source: string | null = null): Promise<"mounted" | "pushed"> {
  await using client = await RegistryClient.open({
    endpoint: { host, path: "a/b", insecure: true },
    transport: {
      ...DEFAULT_TRANSPORT,
      attempts: 3,
      wait: async (attempt, retryAfter) => void waits.push([attempt, retryAfter]),
    },
    credentials: async () => null,
    actions: "pull,push",
    tlsVerify: null,
  });
  return await client.pushBlob(layer, (start, end) => content.subarray(start, end), source);
}

/** Take the first `bytes` of the body into the upload, then break the connection. */
const cutAfter =
  (bytes: number): Handler =>
  async (request, response) => {
    const body = await bodyOf(request);
    arrived = Buffer.concat([arrived, body.subarray(0, bytes)]);
    response.destroy();
    return true;
  };

test("a blob is streamed as one piece", async () => {
  assert.equal(await push(), "pushed");
  assert.deepEqual(log, ["POST uploads/", "PATCH uploads/1", `PUT uploads/1?digest=${encodeURIComponent(digest)}`]);
});

test("a broken upload goes on where the registry says it broke", async () => {
  const cut = cutAfter(7_000_000);
  spoil = (request, response) => (log.length === 2 ? cut(request, response) : false);
  assert.equal(await push(), "pushed");
  assert.deepEqual(log.slice(1, 4), ["PATCH uploads/1", "GET uploads/1", "PATCH uploads/1 7000000-19999999"]);
  assert.deepEqual(waits, [[1, null]]);
});

test("an upload that the registry has lost begins anew", async () => {
  const cut = cutAfter(7_000_000);
  spoil = (request, response) => {
    if (log.length === 2) return cut(request, response);
    if (request.method === "GET") response.writeHead(404).end();
    return request.method === "GET";
  };
  assert.equal(await push(), "pushed");
  assert.deepEqual(log.slice(1, 5), ["PATCH uploads/1", "GET uploads/1", "POST uploads/", "PATCH uploads/2"]);
});

test("a busy registry is given the time it asks for", async () => {
  spoil = async (request, response) => {
    if (log.length !== 2) return false;
    await bodyOf(request);
    response.writeHead(429, { "retry-after": "7" }).end();
    return true;
  };
  assert.equal(await push(), "pushed");
  assert.deepEqual(waits, [[1, 7000]]);
});

/** A proxy that takes bodies of this size at most. */
const atMost =
  (bytes: number): Handler =>
  async (request, response) => {
    if (Number(request.headers["content-length"]) <= bytes) return false;
    await bodyOf(request);
    response.writeHead(413).end();
    return true;
  };

test("what is too large for one piece goes in several, none smaller than the registry wants", async () => {
  spoil = atMost(9_000_000);
  assert.equal(await push(), "pushed");
  const ranges = (): readonly string[] => log.flatMap((line) => /^PATCH \S+ (\S+)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(ranges(), ["0-8388607", "8388608-16777215", "16777216-19999999"]);
  log = [];
  minimum = "15000000";
  spoil = atMost(16_000_000);
  assert.equal(await push(), "pushed");
  assert.deepEqual(ranges(), ["0-14999999", "15000000-19999999"]);
  log = [];
  minimum = "";
  spoil = atMost(1000);
  await assert.rejects(push(), { code: "REGISTRY_FAILED", message: /HTTP 413/ });
});

test("an upload that never gets further ends after the tries", async () => {
  const cut = cutAfter(0);
  spoil = (request, response) => (request.method === "PATCH" ? cut(request, response) : false);
  await assert.rejects(push(), { code: "REGISTRY_FAILED", message: /cannot reach/i });
  assert.deepEqual(
    log.filter((line) => line.startsWith("PATCH")),
    ["PATCH uploads/1", "PATCH uploads/1", "PATCH uploads/1"],
  );
});

test("an upload that always breaks at the same place and is forgotten ends after the tries", async () => {
  const cut = cutAfter(5_000_000);
  spoil = (request, response) => {
    if (request.method === "PATCH") return cut(request, response);
    if (request.method === "GET") response.writeHead(404).end();
    return request.method === "GET";
  };
  await assert.rejects(push(), { code: "REGISTRY_FAILED" });
  assert.equal(log.filter((line) => line.startsWith("PATCH")).length, 3);
});

test("a mount: taken, refused by an upload that is used, and denied", async () => {
  const mounting = `POST uploads/?mount=${encodeURIComponent(digest)}&from=other%2Frepository`;
  spoil = (_request, response) => {
    response.writeHead(201).end();
    return true;
  };
  assert.equal(await push("other/repository"), "mounted");
  assert.deepEqual(log, [mounting]);
  log = [];
  spoil = () => false;
  assert.equal(await push("other/repository"), "pushed");
  assert.deepEqual(log.slice(0, 2), [mounting, "PATCH uploads/1"]);
  log = [];
  spoil = (request, response) => {
    if (request.url?.includes("mount=") !== true) return false;
    response.writeHead(403).end();
    return true;
  };
  assert.equal(await push("other/repository"), "pushed");
  assert.deepEqual(log.slice(0, 3), [mounting, "POST uploads/", "PATCH uploads/2"]);
});

test("an answer that is lost after the end of an upload does no harm", async () => {
  spoil = (request, response) => {
    if (request.method === "HEAD") response.writeHead(200).end();
    else if (request.method === "PUT" && log.at(-2)?.startsWith("PATCH") === true) response.destroy();
    else if (request.method === "PUT") response.writeHead(404).end();
    else return false;
    return true;
  };
  assert.equal(await push(), "pushed");
  assert.deepEqual(
    log.slice(2).map((line) => line.split(" ")[0]),
    ["PUT", "PUT", "HEAD"],
  );
});
