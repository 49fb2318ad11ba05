/** The registry client against a server that breaks, lies and redirects, on loopback. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Credentials } from "../../../src/image/registry/credentials.ts";
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
const servers: Server[] = [];
let host = "";
let store: ImageStore;

before(async () => {
  store = await ImageStore.open(mkdtempSync(join(tmpdir(), "pycri-store-")));
  const server = createServer((request, response) => handler(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  host = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** What every wait was for: the virtual clock of these tests. */
const waits: (readonly [attempt: number, retryAfter: number | null])[] = [];

const PASSWORD: Credentials = { kind: "password", username: "user", password: "secret" };

async function open(credentials: Credentials | null = null): Promise<RegistryClient> {
  waits.length = 0;
  return RegistryClient.open({
    endpoint: { host, path: "a/b", insecure: true },
    transport: {
      ...DEFAULT_TRANSPORT,
      attempts: 3,
      wait: async (attempt, retryAfter) => void waits.push([attempt, retryAfter]),
    },
    credentials: async () => credentials,
    actions: "pull",
    tlsVerify: null,
  });
}

/** A second server on another port, which is another origin. */
async function startElsewhere(answer: Handler): Promise<{ readonly origin: string }> {
  const elsewhere = createServer(answer);
  servers.push(elsewhere);
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const address = elsewhere.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { origin: `http://127.0.0.1:${port}` };
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

test("a redirect to another origin does not carry the credentials", async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = await startElsewhere((request, response) => {
    seen.push(request.headers.authorization);
    response.end("{}");
  });
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else if (request.headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    } else response.writeHead(307, { location: `${elsewhere.origin}/blob` }).end();
  };
  await using client = await open(PASSWORD);
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(seen, [undefined]);
});

for (const scheme of ['Basic realm="x"', "Bearer realm="]) {
  test(`whom a redirect leads to gets no credentials for a challenge ${scheme} (CVE-2020-15157)`, async () => {
    const seen: (string | undefined)[] = [];
    const elsewhere = await startElsewhere((request, response) => {
      seen.push(request.headers.authorization);
      const challenge = scheme.startsWith("Bearer") ? `${scheme}"http://${request.headers.host}/token"` : scheme;
      response.writeHead(401, { "www-authenticate": challenge }).end();
    });
    handler = (request, response) => {
      if (request.url === "/v2/") response.end("{}");
      else response.writeHead(307, { location: `${elsewhere.origin}/blob` }).end();
    };
    await using client = await open(PASSWORD);
    assert.equal(await client.hasBlob(digest), false);
    assert.deepEqual(seen, [undefined]);
  });
}

test("an upload that goes on at another origin does not carry the credentials", async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = await startElsewhere((request, response) => {
    seen.push(request.headers.authorization);
    request.resume().on("end", () => response.writeHead(request.method === "PUT" ? 201 : 202).end());
  });
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else if (request.headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    } else response.writeHead(202, { location: `${elsewhere.origin}/upload?state=1` }).end();
  };
  await using client = await open(PASSWORD);
  await client.pushBlob(layer, () => content);
  assert.deepEqual(seen, [undefined, undefined]);
});

test("a redirect without end, and one to no web address, are REGISTRY_FAILED", async () => {
  for (const [location, words] of [
    ["/again", /redirects more than 10 times/],
    ["file:///etc/passwd", /redirects to "file:\/\/\/etc\/passwd", which is not secure/],
  ] as const) {
    handler = (request, response) => {
      if (request.url === "/v2/") response.end("{}");
      else response.writeHead(302, { location }).end();
    };
    await using client = await open();
    await assert.rejects(client.hasBlob(digest), { code: "REGISTRY_FAILED", message: words });
  }
});

test("a busy server is asked again after the time it names", async () => {
  let requests = 0;
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else if (++requests === 1) response.writeHead(429, { "retry-after": "7" }).end();
    else if (requests === 2) response.writeHead(503).end();
    else response.end();
  };
  await using client = await open();
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(waits, [
    [1, 7000],
    [2, null],
  ]);
});

test("what another try does not change is not tried again", async () => {
  for (const [status, code] of [
    [400, "REGISTRY_FAILED"],
    [403, "REGISTRY_DENIED"],
    [404, "IMAGE_NOT_FOUND"],
    [501, "REGISTRY_FAILED"],
  ] as const) {
    let requests = 0;
    handler = (request, response) => {
      if (request.url !== "/v2/") requests++;
      response.writeHead(status).end();
    };
    await using client = await open();
    await assert.rejects(client.fetchManifest("latest"), { code });
    assert.equal(requests, 1);
    assert.deepEqual(waits, []);
  }
});

test("a registry's words reach the terminal without control characters", async () => {
  handler = (_request, response) => {
    response.writeHead(400).end(JSON.stringify({ errors: [{ code: "EVIL", message: "\u001b[2Jgone" }] }));
  };
  await using client = await open();
  await assert.rejects(client.fetchManifest("latest"), (error: Error) => {
    assert.match(error.message, /EVIL: {2}\[2Jgone \(HTTP 400\)$/);
    return true;
  });
});

/** A registry that wants a token, and its token server; `answer` gives the token server's response. */
function serveTokens(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): readonly (string | undefined)[] {
  const used: (string | undefined)[] = [];
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else if (request.url?.startsWith("/token") === true) answer(request, response);
    else {
      used.push(request.headers.authorization);
      if (request.headers.authorization === "Bearer good") response.end();
      else {
        const challenge = `Bearer realm="http://${host}/token",service="registry"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      }
    }
  };
  return used;
}

test("a token is asked for with service, scope and account, and used again", async () => {
  const asked: (readonly [string | undefined, string | undefined])[] = [];
  const used = serveTokens((request, response) => {
    asked.push([request.url, request.headers.authorization]);
    response.end(JSON.stringify({ token: "good" }));
  });
  await using client = await open(PASSWORD);
  assert.equal(await client.hasBlob(digest), true);
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(asked, [
    [
      "/token?service=registry&scope=repository%3Aa%2Fb%3Apull&account=user",
      `Basic ${Buffer.from("user:secret").toString("base64")}`,
    ],
  ]);
  assert.deepEqual(used, [undefined, "Bearer good", "Bearer good"]);
});

test("a token that has expired is replaced", async () => {
  const tokens = ["old", "good"];
  const used = serveTokens((_request, response) => response.end(JSON.stringify({ access_token: tokens.shift() })));
  await using client = await open();
  assert.equal(await client.hasBlob(digest), false);
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(used, [undefined, "Bearer old", "Bearer old", "Bearer good"]);
});

test("an identity token is exchanged by OAuth2 and never sent to the registry", async () => {
  let form = "";
  const used = serveTokens((request, response) => {
    assert.equal(request.method, "POST");
    request.setEncoding("utf8").on("data", (text: string) => {
      form += text;
    });
    request.on("end", () => response.end(JSON.stringify({ access_token: "good" })));
  });
  await using client = await open({ kind: "token", identityToken: "refresh-me" });
  assert.equal(await client.hasBlob(digest), true);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(form)), {
    grant_type: "refresh_token",
    service: "registry",
    client_id: "pycri",
    refresh_token: "refresh-me",
    scope: "repository:a/b:pull",
  });
  assert.deepEqual(used, [undefined, "Bearer good"]);
});

for (const [name, answer, code, words] of [
  ["refused", (response) => response.writeHead(401).end(), "REGISTRY_DENIED", /gives no token.*HTTP 401/],
  ["of two megabytes", (response) => response.end(" ".repeat(2 << 20)), "REGISTRY_FAILED", /longer than 1048576 bytes/],
  [
    "that breaks a header",
    (response) => response.end('{"token":"a\\r\\nb"}'),
    "INVALID_DOCUMENT",
    /no header may have/,
  ],
  ["missing", (response) => response.end("{}"), "INVALID_DOCUMENT", /"\/access_token" is required/],
  ["that is no JSON", (response) => response.end("<html>"), "INVALID_DOCUMENT", /it is not JSON/],
] as const satisfies readonly (readonly [string, (response: ServerResponse) => void, string, RegExp])[]) {
  test(`a token ${name} is ${code}`, async () => {
    serveTokens((_request, response) => answer(response));
    await using client = await open(PASSWORD);
    await assert.rejects(client.hasBlob(digest), { code, message: words });
  });
}

test("a token server that is none is REGISTRY_FAILED", async () => {
  handler = (request, response) => {
    if (request.url === "/v2/") response.end("{}");
    else response.writeHead(401, { "www-authenticate": 'Bearer realm="ftp://x"' }).end();
  };
  await using client = await open(PASSWORD);
  await assert.rejects(client.hasBlob(digest), {
    code: "REGISTRY_FAILED",
    message: /names no usable token server: "ftp:\/\/x"/,
  });
});

test("a manifest of five megabytes is REGISTRY_FAILED, and its rest is not read", async () => {
  let sent = 0;
  const block = Buffer.alloc(1 << 20, " ");
  handler = (request, response) => {
    if (request.url === "/v2/") {
      response.end("{}");
      return;
    }
    const more = (): void => {
      if (sent++ < 1000 && !response.destroyed) response.write(block, more);
    };
    more();
  };
  await using client = await open();
  await assert.rejects(client.fetchManifest("latest"), {
    code: "REGISTRY_FAILED",
    message: /longer than 4194304 bytes/,
  });
  assert.ok(sent < 100, `${sent} MiB were sent`);
});

test("a manifest that is not what its digest says is DIGEST_MISMATCH", async () => {
  handler = (_request, response) => response.end("{}");
  await using client = await open();
  await assert.rejects(client.fetchManifest(`sha256:${"3".repeat(64)}`), { code: "DIGEST_MISMATCH" });
});
