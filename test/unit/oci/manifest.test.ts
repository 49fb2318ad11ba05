/** Manifests, indexes and configurations out of untrusted bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RuntimeError } from "../../../src/errors.ts";
import { MEDIA_TYPE, describe, parseDigest } from "../../../src/oci/descriptor.ts";
import { type ImageConfig, imageConfigToJson, parseImageConfig } from "../../../src/oci/image-config.ts";
import { encodeJson, encodeManifest, parseManifest } from "../../../src/oci/manifest.ts";

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const config = { mediaType: MEDIA_TYPE.ociConfig, digest: digest("a"), size: 10 };
const layer = { mediaType: MEDIA_TYPE.ociLayerGzip, digest: digest("b"), size: 20 };
const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers: [layer] };

function refused(document: unknown, pointer: string, declared = ""): void {
  assert.throws(
    () => parseManifest(encodeJson(document), declared, "x"),
    (error) => {
      assert.ok(error instanceof RuntimeError);
      assert.equal(error.code, "INVALID_DOCUMENT");
      const issues = error.details["issues"] as readonly { readonly pointer: string }[];
      assert.equal(issues[0]?.pointer, pointer);
      return true;
    },
  );
}

test("an OCI manifest", () => {
  const parsed = parseManifest(encodeJson(manifest), MEDIA_TYPE.ociManifest, "x");
  assert.equal(parsed.kind, "manifest");
  assert.deepEqual(parsed.kind === "manifest" && parsed.layers.map((item) => item.digest), [digest("b")]);
});

test("what we encode we parse", () => {
  const id = parseDigest(digest("c"));
  assert.ok(id !== null);
  const parsed = parseManifest(encodeManifest(describe(MEDIA_TYPE.ociConfig, id, 1), []), "", "x");
  assert.equal(parsed.kind === "manifest" && parsed.config.digest, id);
});

test("a Docker manifest without a declared type is known by its own", () => {
  const document = {
    ...manifest,
    mediaType: MEDIA_TYPE.dockerManifest,
    config: { ...config, mediaType: MEDIA_TYPE.dockerConfig },
    layers: [{ ...layer, mediaType: MEDIA_TYPE.dockerLayerGzip }],
  };
  assert.equal(parseManifest(encodeJson(document), "application/json", "x").mediaType, MEDIA_TYPE.dockerManifest);
});

test("an index gives its platforms", () => {
  const entry = { mediaType: MEDIA_TYPE.ociManifest, digest: digest("d"), size: 5 };
  const document = {
    schemaVersion: 2,
    manifests: [{ ...entry, platform: { os: "linux", architecture: "arm", variant: "v6" } }, entry],
  };
  const parsed = parseManifest(encodeJson(document), MEDIA_TYPE.ociIndex, "x");
  assert.ok(parsed.kind === "index");
  assert.deepEqual(
    parsed.manifests.map(({ platform }) => platform),
    [{ os: "linux", architecture: "arm", variant: "v6" }, null],
  );
});

test("a document that is manifest and index at once is refused (CVE-2021-41190)", () => {
  refused({ ...manifest, manifests: [] }, "/manifests");
  refused({ ...manifest, manifests: [], mediaType: MEDIA_TYPE.ociIndex }, "/manifests", MEDIA_TYPE.ociIndex);
});

test("a document served as something else than it says is refused", () => {
  refused(manifest, "/mediaType", MEDIA_TYPE.dockerManifest);
  refused(manifest, "/mediaType", MEDIA_TYPE.ociIndex);
});

test("schema 1 is refused", () => {
  refused({ schemaVersion: 1, name: "a", fsLayers: [] }, "/schemaVersion", MEDIA_TYPE.dockerSchema1Signed);
  refused({ schemaVersion: 1, fsLayers: [] }, "/schemaVersion");
});

test("artifacts, foreign layers and unknown layers are refused by name", () => {
  refused({ ...manifest, config: { ...config, mediaType: "application/vnd.example" } }, "/config/mediaType");
  const foreign = { ...layer, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" };
  refused({ ...manifest, layers: [layer, foreign] }, "/layers/1");
  refused({ ...manifest, layers: [{ ...layer, mediaType: "text/plain" }] }, "/layers/0/mediaType");
});

test("fields of the wrong type or size are refused where they stand", () => {
  refused([], "");
  refused({ ...manifest, schemaVersion: "2" }, "/schemaVersion");
  refused({ ...manifest, layers: {} }, "/layers");
  refused({ ...manifest, layers: [{ ...layer, size: -1 }] }, "/layers/0/size");
  refused({ ...manifest, layers: [{ ...layer, size: 1.5 }] }, "/layers/0/size");
  refused({ ...manifest, layers: [{ ...layer, digest: "sha256:../../etc/passwd" }] }, "/layers/0/digest");
  refused({ ...manifest, layers: [null] }, "/layers/0");
  refused({ ...manifest, layers: Array.from({ length: 501 }, () => layer) }, "/layers");
});

test("five megabytes are too many for a manifest", () => {
  assert.throws(() => parseManifest(new Uint8Array(5 * 1024 * 1024), "", "x"), { code: "INVALID_DOCUMENT" });
});

test("any JSON is a manifest or INVALID_DOCUMENT", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("", ...Object.values(MEDIA_TYPE)), (value, declared) => {
      for (const document of [value, { ...manifest, layers: value }, { schemaVersion: 2, manifests: value }]) {
        try {
          parseManifest(encodeJson(document), declared, "x");
        } catch (error) {
          assert.ok(error instanceof RuntimeError && error.code === "INVALID_DOCUMENT", String(error));
        }
      }
    }),
  );
});

const CONFIG = {
  architecture: "amd64",
  os: "linux",
  created: "2024-01-01T00:00:00Z",
  config: {
    User: "1000:100",
    Env: ["PATH=/bin", "A=b=c"],
    Entrypoint: ["/entry"],
    Cmd: ["a", "b"],
    WorkingDir: "src",
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {} },
    StopSignal: "SIGINT",
    Labels: { __proto__x: "1", a: "b" },
    Healthcheck: { Test: ["CMD", "true"], Interval: 1000000000, Retries: 3 },
  },
  rootfs: { type: "layers", diff_ids: [digest("e")] },
  history: [
    { created_by: "RUN x", created: "2024-01-01T00:00:00Z" },
    { created_by: "ENV", empty_layer: true },
  ],
};

test("a configuration gives the defaults of a container", () => {
  const { defaults, diffIds, history } = parseImageConfig(encodeJson(CONFIG), "x");
  assert.deepEqual(
    { ...defaults, labels: { ...defaults.labels } },
    {
      user: "1000:100",
      environment: ["PATH=/bin", "A=b=c"],
      entrypoint: ["/entry"],
      command: ["a", "b"],
      workingDirectory: "/src",
      volumes: ["/data"],
      exposedPorts: ["80/tcp"],
      stopSignal: "SIGINT",
      labels: { __proto__x: "1", a: "b" },
      healthcheck: { test: ["CMD", "true"], interval: 1000000000, timeout: 0, startPeriod: 0, retries: 3 },
    },
  );
  assert.deepEqual(diffIds, [digest("e")]);
  assert.deepEqual(
    history.map(({ emptyLayer }) => emptyLayer),
    [false, true],
  );
});

test("Go's nulls are absent fields", () => {
  const { defaults } = parseImageConfig(
    encodeJson({ ...CONFIG, config: { Env: null, Cmd: null, Volumes: null, Labels: null } }),
    "x",
  );
  assert.deepEqual(defaults.environment, []);
  assert.deepEqual(defaults.volumes, []);
});

test("a configuration printed and parsed again is the same", () => {
  const parsed: ImageConfig = parseImageConfig(encodeJson(CONFIG), "x");
  assert.deepEqual(parseImageConfig(encodeJson(imageConfigToJson(parsed)), "x"), parsed);
});

test("a key named __proto__ is a label like any other", () => {
  const bytes = new TextEncoder().encode(
    `{"rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x"}}}`,
  );
  const { labels } = parseImageConfig(bytes, "x").defaults;
  assert.deepEqual(Object.keys(labels), ["__proto__"]);
});

test("NUL in the environment and relative volumes are refused", () => {
  for (const broken of [{ Env: ["A=\0"] }, { Volumes: { data: {} } }, { WorkingDir: "/a\0" }]) {
    assert.throws(() => parseImageConfig(encodeJson({ ...CONFIG, config: broken }), "x"), { code: "INVALID_DOCUMENT" });
  }
});
