/** The library runs images of a registry: what it tells of the pull, how that is ended, how it fails. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { reasonToSkip } from "../support/kernel-test.ts";
import { reported } from "../support/library.ts";
import { type MadeImage, makeImage, uploadImage } from "../support/made-image.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/proxies.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const skip = reasonToSkip(["registry"]);
const pullTest = (name: string, body: () => Promise<void>): void => void test(name, { skip }, body);

let registry: Registry;
let proxy: FaultyProxy;
let image: MadeImage;

before(async () => {
  if (skip !== false) return;
  registry = await startRegistry();
  proxy = await startFaultyProxy(registry.port);
  image = makeImage({
    layers: [busyboxLayer(), tar([{ name: "random", data: randomBytes(1_000_000) }])],
    config: { Cmd: ["echo", "from the image"] },
  });
  await uploadImage(registry.host, "library", "1", image);
});

after(async () => {
  if (skip !== false) return;
  await proxy.stop();
  await registry.stop();
});

let stores = 0;
const newData = (): string => makeOwned(join(scratch, `library-data-${stores++}`));

pullTest("an image is pulled with its layers' progress, and not a second time", async () => {
  const name = `${proxy.host}/library:1`;
  const env = { XDG_DATA_HOME: newData() };
  const [first, events, second, silent] = (await reported(
    `
    const events = [];
    const options = { rootfs: ${JSON.stringify(name)}, onPull: (event) => events.push(event) };
    const first = (await run(options)).stdout;
    const seen = events.splice(0);
    const second = (await run(options)).stdout;
    report([first, seen, second, events]);
  `,
    { env },
  )) as [
    string,
    { kind: string; image?: string; digest?: string; bytes?: number; total?: number }[],
    string,
    unknown[],
  ];
  assert.deepEqual([first, second, silent], ["from the image\n", "from the image\n", []]);
  assert.deepEqual(events[0], { kind: "pulling", image: name });
  for (const { digest, size } of image.layers) {
    const own = events.filter((event) => event.digest === digest);
    const fetching = own.filter(({ kind }) => kind === "fetching");
    assert.deepEqual([fetching[0]?.bytes, fetching.at(-1)?.bytes, fetching.at(-1)?.total], [0, size, size]);
    assert.deepEqual(
      own.filter(({ kind }) => kind !== "fetching").map(({ kind }) => kind),
      ["unpacking", "done"],
    );
  }
});

pullTest("an aborted pull is ABORTED with the reason, and the next one takes it up", async () => {
  const data = newData();
  const [, slow] = image.layers;
  proxy.spoil = async (request, response, pass, body) => {
    if (request.url?.endsWith(slow?.digest ?? "none") !== true) return pass();
    const bytes = await body();
    response.writeHead(200, { "content-length": bytes.length });
    // The rest never comes.
    response.write(bytes.subarray(0, 400_000));
  };
  const program = (abort: boolean): string => `
    const control = new AbortController();
    const onPull = ({ kind, digest, bytes }) => {
      if (${abort} && kind === "fetching" && digest === ${JSON.stringify(slow?.digest)} && bytes > 0) control.abort(new Error("enough"));
    };
    const options = { rootfs: ${JSON.stringify(`${proxy.host}/library:1`)}, onPull, signal: control.signal };
    if (${abort}) report(await failure(run(options)));
    else report((await run(options)).stdout);
  `;
  const { code, cause } = (await reported(program(true), { env: { XDG_DATA_HOME: data } })) as Record<string, unknown>;
  assert.deepEqual([code, cause], ["ABORTED", "Error: enough"]);
  assert.deepEqual(readdirSync(join(data, "pycri/staging")), []);
  proxy.spoil = (_request, _response, pass) => pass();
  const from = proxy.log.length;
  assert.equal(await reported(program(false), { env: { XDG_DATA_HOME: data } }), "from the image\n");
  const [again] = proxy.log.slice(from).filter((line) => line.includes(slow?.digest ?? "none"));
  assert.match(again ?? "", / bytes=[1-9]\d*-$/);
});

pullTest("what a pull runs into has a code", async () => {
  const name = (text: string): string => JSON.stringify(`${registry.host}/${text}`);
  const result = await reported(
    `
    const codes = [];
    for (const options of [
      { rootfs: ${name("library:none")} },
      { rootfs: ${name("library:1")}, pull: "never" },
      { rootfs: ${name("library:1")}, platform: "linux/s390x" },
      { rootfs: ${name("library:1")}, unpackLimits: ["bytes=10"] },
      { rootfs: ${name("library:1")}, tlsVerify: true },
      { rootfs: ${name("Library:1")} },
      { rootfs: ${name("library:1")}, onPull: 1 },
    ]) codes.push((await failure(run(options))).code);
    report(codes);
  `,
    { env: { XDG_DATA_HOME: newData() } },
  );
  assert.deepEqual(result, [
    "IMAGE_NOT_FOUND",
    "IMAGE_NOT_FOUND",
    "PLATFORM_NOT_FOUND",
    "INVALID_LAYER",
    "REGISTRY_FAILED",
    "INVALID_ARGUMENT",
    "INVALID_ARGUMENT",
  ]);
});
