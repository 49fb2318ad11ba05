/** Which proxy a registry is reached through, and how long a failed request waits: tables, no network. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseProxy } from "../../../src/image/registry/proxy-choice.ts";
import { retryDelay } from "../../../src/image/registry/transport.ts";

const PROXY = "http://user:pass@proxy.example:3128/";
const PLAIN = "http://plain.example:8080/";

const choose = (url: string, noProxy = ""): string | undefined =>
  chooseProxy(new URL(url), { httpProxy: PLAIN, httpsProxy: PROXY, noProxy })?.href;

test("the scheme of the URL chooses the proxy", () => {
  assert.equal(choose("https://ghcr.io/v2/"), PROXY);
  assert.equal(choose("http://plain.registry/v2/"), PLAIN);
  const none = { httpProxy: PLAIN, httpsProxy: "", noProxy: "" };
  assert.equal(chooseProxy(new URL("https://ghcr.io"), none), null);
});

test("loopback is always direct", () => {
  for (const host of ["localhost", "127.0.0.1:5000", "127.8.9.1", "[::1]:5000"]) {
    assert.equal(choose(`http://${host}/v2/`), undefined, host);
  }
});

const RULES: readonly (readonly [noProxy: string, direct: readonly string[], proxied: readonly string[]])[] = [
  ["*", ["a.example", "10.0.0.1"], []],
  ["example.com", ["example.com", "a.example.com", "example.com:5000"], ["notexample.com", "example.org"]],
  [".example.com", ["a.example.com", "b.a.example.com"], ["example.com", "notexample.com"]],
  ["*.example.com", ["a.example.com"], ["example.com"]],
  ["EXAMPLE.com", ["example.com"], []],
  ["example.com:5000", ["example.com:5000"], ["example.com", "example.com:5001"]],
  ["example.com:443", ["example.com"], ["example.com:5000"]],
  ["10.1.2.3", ["10.1.2.3", "10.1.2.3:5000"], ["10.1.2.30", "110.1.2.3"]],
  ["10.0.0.0/8", ["10.255.0.1"], ["11.0.0.1", "a.10.0.0.1.example"]],
  ["fd00::/8,[2001:db8::1]:5000", ["[fd12::1]:443", "[2001:db8::1]:5000"], ["[2001:db8::1]", "[2001:db8::2]:5000"]],
  ["a.example, b.example  c.example", ["a.example", "b.example", "c.example"], ["d.example"]],
  ["10.0.0.0/99,/,8", [], ["10.0.0.1"]],
];

for (const [noProxy, direct, proxied] of RULES) {
  test(`NO_PROXY=${noProxy}`, () => {
    for (const host of direct) assert.equal(choose(`https://${host}/v2/`, noProxy), undefined, host);
    for (const host of proxied) assert.equal(choose(`https://${host}/v2/`, noProxy), PROXY, host);
  });
}

test("a proxy without scheme is an HTTP proxy; another kind is refused", () => {
  const choose = (httpsProxy: string): URL | null =>
    chooseProxy(new URL("https://ghcr.io"), { httpProxy: "", httpsProxy, noProxy: "" });
  assert.equal(choose("proxy.example:3128")?.href, "http://proxy.example:3128/");
  for (const broken of ["socks5://proxy.example", "http://", "ftp://x"]) {
    assert.throws(() => choose(broken), { code: "INVALID_ARGUMENT", message: `Cannot use the proxy "${broken}"` });
  }
});

test("waits double from a quarter of a second to half a minute, give or take a half", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 20].map((attempt) => retryDelay(attempt, null, 0.5)),
    [250, 500, 1000, 2000, 30_000],
  );
  assert.equal(retryDelay(1, null, 0), 125);
  assert.equal(retryDelay(1, null, 1), 375);
});

test("a server's Retry-After goes before, and has the same end", () => {
  assert.equal(retryDelay(1, 7000, 0), 7000);
  assert.equal(retryDelay(4, 0, 1), 0);
  assert.equal(retryDelay(1, 3_600_000, 0), 30_000);
});
