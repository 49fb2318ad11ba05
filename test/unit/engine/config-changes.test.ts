/** `--change` of commit: a Dockerfile's instructions over an image's defaults. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { changeDefaults } from "../../../src/engine/images/config-changes.ts";
import { RuntimeError } from "../../../src/errors.ts";
import { type ContainerDefaults, EMPTY_DEFAULTS } from "../../../src/oci/image-config.ts";

const BASE: ContainerDefaults = { ...EMPTY_DEFAULTS, environment: ["A=1", "B=2"], labels: { a: "1" }, volumes: ["/v"] };

const TABLE: readonly (readonly [change: string, made: Partial<ContainerDefaults>])[] = [
  ['CMD ["a", "b c"]', { command: ["a", "b c"] }],
  ["CMD a b", { command: ["/bin/sh", "-c", "a b"] }],
  ["cmd [broken", { command: ["/bin/sh", "-c", "[broken"] }],
  ['ENTRYPOINT ["/x"]', { entrypoint: ["/x"] }],
  ['ENV A=9 C=\'x y\' D="q\\"z" E=a\\ b', { environment: ["B=2", "A=9", "C=x y", 'D=q"z', "E=a b"] }],
  ["ENV C some words", { environment: ["A=1", "B=2", "C=some words"] }],
  ["LABEL b=2 c=", { labels: { a: "1", b: "2", c: "" } }],
  ["EXPOSE 80 53/udp", { exposedPorts: ["80/tcp", "53/udp"] }],
  ["USER app:web", { user: "app:web" }],
  ["WORKDIR /a b", { workingDirectory: "/a b" }],
  ["VOLUME /w /v", { volumes: ["/v", "/w"] }],
  ['VOLUME ["/with blank"]', { volumes: ["/v", "/with blank"] }],
  ["STOPSIGNAL SIGINT", { stopSignal: "SIGINT" }],
];

for (const [change, made] of TABLE) {
  test(change, () => assert.deepEqual(changeDefaults(BASE, [change]), { ...BASE, ...made }));
}

test("changes follow each other", () => {
  assert.deepEqual(changeDefaults(BASE, ["ENV A=2", "ENV A=3"]).environment, ["B=2", "A=3"]);
});

for (const [change, fault] of [
  ["RUN make", /"RUN" is not known/],
  ["CMD", /it has no value/],
  ["constructor x", /"constructor" is not known/],
  ["ENV A", /write NAME=value/],
  ["ENV A=1 B", /"B" is not NAME=value/],
  ['ENV A="1', /is not NAME=value/],
  ["EXPOSE http", /"http" is not a port/],
  ["WORKDIR here", /"here" is not absolute/],
  ["VOLUME here", /"here" is not absolute/],
] as const) {
  test(`${change} is refused`, () => {
    assert.throws(
      () => changeDefaults(BASE, [change]),
      (error) => error instanceof RuntimeError && error.code === "INVALID_ARGUMENT" && fault.test(error.message),
    );
  });
}
