/** Images end to end, as an unprivileged user: a real registry, archives of and for other tools, running what was pulled. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { pycri } from "../support/run.ts";
import { type Registry, hasRegistry, startRegistry } from "../support/registry.ts";
import { runtimeDirectory } from "../support/scratch.ts";
import { makeTestImage } from "../support/test-image.ts";

const missing = hasRegistry() ? false : "docker-registry, skopeo, umoci, htpasswd, openssl or busybox is not installed";
const options = { skip: process.env["REQUIRE_KERNEL"] === "1" ? false : missing };

let registry: Registry;
let secured: Registry;
let layout = "";

before(async () => {
  if (options.skip !== false) return;
  layout = makeTestImage();
  registry = await startRegistry();
  secured = await startRegistry({ tls: true, login: ["user", "secret"] });
  execFileSync("skopeo", [
    "copy",
    "-q",
    "--dest-tls-verify=false",
    `oci:${layout}:v1`,
    `docker://${registry.host}/a/b:v1`,
  ]);
});

after(async () => {
  if (options.skip !== false) return;
  await registry.stop();
  await secured.stop();
});

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args);
  assert.equal(status, 0, stderr);
  return stdout;
};

test("run pulls an image and takes its configuration for defaults", options, async () => {
  assert.equal(await ok("run", `${registry.host}/a/b:v1`), "hello\n/data\n0\n");
});

test("the second layer deletes, adds, and gives files to subordinate ids", options, async () => {
  assert.equal(await ok("run", `${registry.host}/a/b:v1`, "ls", "/data"), "owned\n");
  assert.equal(await ok("run", `${registry.host}/a/b:v1`, "stat", "-c", "%u:%g", "/data/owned"), "33:44\n");
});

test("keep-id shows the same owners", options, async () => {
  const args = ["run", "--userns", "keep-id:uid=1000,gid=1000", "-u", "0", `${registry.host}/a/b:v1`];
  assert.equal(await ok(...args, "stat", "-c", "%u:%g", "/data/owned", "/data"), "33:44\n0:0\n");
});

test("what the line says goes before what the image says", options, async () => {
  const image = `${registry.host}/a/b:v1`;
  assert.equal(await ok("run", "-e", "GREETING=bye", image), "bye\n/data\n0\n");
  assert.equal(await ok("run", "-u", "app", image, "id", "-u"), "1000\n");
  assert.equal(await ok("run", "-w", "/tmp", image, "pwd"), "/tmp\n");
  assert.equal(await ok("run", "--entrypoint", "/bin/echo", image), "\n");
});

test("writes are gone after the run, and the layers stay as they were", options, async () => {
  const image = `${registry.host}/a/b:v1`;
  assert.equal(await ok("run", image, "sh", "-c", "rm owned; ls"), "");
  assert.equal(await ok("run", image, "ls"), "owned\n");
  assert.equal(await ok("system", "check"), "");
});

test("a pull of what is there changes nothing; never does not ask", options, async () => {
  assert.match(await ok("pull", `${registry.host}/a/b:v1`), /Status: Image is up to date/);
  const absent = await pycri(["pull", "--policy", "never", `${registry.host}/not/there`]);
  assert.equal(absent.status, 125);
  assert.match(absent.stderr, /no image .* is stored/i);
});

test("an image that the registry does not have is named", options, async () => {
  const { status, stderr } = await pycri(["pull", `${registry.host}/a/b:v9`]);
  assert.equal(status, 125);
  assert.match(stderr, /MANIFEST_UNKNOWN/);
});

test("save writes what skopeo and umoci read, and load reads it back", options, async () => {
  const image = `${registry.host}/a/b:v1`;
  const id = await ok("images", "-q", "--no-trunc");
  for (const format of ["docker-archive", "oci-archive"]) {
    const file = join(runtimeDirectory, `${format}.tar`);
    await ok("save", "--format", format, "-o", file, image);
    const inspected = JSON.parse(
      execFileSync("skopeo", ["inspect", "--config", `${format}:${file}`], { encoding: "utf8" }),
    ) as {
      config: { Env: string[] };
    };
    assert.deepEqual(inspected.config.Env, ["GREETING=hello"]);
    await ok("rmi", image);
    assert.equal(await ok("images", "-q"), "");
    assert.match(await ok("load", "-i", file), /Loaded image: 127\.0\.0\.1/);
    assert.equal(await ok("images", "-q", "--no-trunc"), id);
    assert.equal(await ok("run", image, "cat", "owned"), "new\n");
  }
  assert.match(await ok("load", "-i", layout), /^Loaded image ID: sha256:/);
});

test("push gives a registry what skopeo can take, with TLS and a login", options, async () => {
  const target = `${secured.host}/pushed/x:1`;
  const denied = await pycri(["push", `${registry.host}/a/b:v1`, target]);
  assert.equal(denied.status, 125);
  assert.match(denied.stderr, /pycri login/);
  assert.equal((await pycri(["login", "-u", "user", "-p", "wrong", secured.host])).status, 125);
  assert.equal(await ok("login", "-u", "user", "-p", "secret", secured.host), "Login Succeeded\n");
  await ok("push", `${registry.host}/a/b:v1`, target);
  const digest = execFileSync(
    "skopeo",
    ["inspect", "--format", "{{.Digest}}", "--creds", "user:secret", "--tls-verify=false", `docker://${target}`],
    { encoding: "utf8" },
  ).trim();
  assert.match(await ok("image", "inspect", "--format", "{{.Digest}}", `${registry.host}/a/b:v1`), new RegExp(digest));
  await ok("logout", secured.host);
  assert.equal((await pycri(["pull", target])).status, 125);
});

test("a certificate of an unknown authority is refused where TLS must be verified", options, async () => {
  const args = ["pull", "--creds", "user:secret", "--tls-verify", `${secured.host}/pushed/x:1`];
  const unknown = await pycri(args);
  assert.equal(unknown.status, 125);
  assert.match(unknown.stderr, /certs\.d/);
  assert.ok(secured.certificate !== null);
  const known = await pycri(args, { env: { SSL_CERT_FILE: secured.certificate } });
  assert.equal(known.status, 0, known.stderr);
});

test("removing the last image leaves no blob, layer or temporary file", options, async () => {
  await ok("image", "prune", "--all");
  const [usage] = (await ok("system", "df", "--format", "{{.TotalCount}}")).split("\n\n");
  assert.equal(usage, "0\n0\n0\n");
});
