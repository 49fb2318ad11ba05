/** Lists of images, their names and history, in Docker's words and in every format. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before } from "node:test";
import { writeImageArchive } from "../support/image-archive.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { pycri } from "../support/run.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args);
  assert.equal(status, 0, stderr);
  return stdout;
};

before(async () => {
  const archive = join(makeOwned(join(scratch, "archive")), "images.tar");
  const layer = (name: string, bytes: number): Buffer => tar([{ name, data: "x".repeat(bytes) }]);
  writeImageArchive(archive, [
    {
      name: "docker.io/library/old:1",
      layers: [layer("a", 1500)],
      created: "2020-01-01T00:00:00Z",
      config: { Labels: { role: "base" } },
    },
    {
      name: "example.com/team/new:2",
      layers: [layer("a", 1500), layer("b", 2_000_000)],
      created: "2021-01-01T00:00:00Z",
      config: { Labels: { role: "app", stage: "test" } },
    },
  ]);
  assert.equal(await ok("load", "-i", archive), "Loaded image: old:1\nLoaded image: example.com/team/new:2\n");
});

const NAMES = "{{.Repository}}:{{.Tag}}";
const names = async (...args: readonly string[]): Promise<string> => ok("images", "--format", NAMES, ...args);

kernelTest("images lists newest first, in columns, as JSON, as ids", async () => {
  const [heading, ...rows] = (await ok("images")).trimEnd().split("\n");
  assert.match(heading ?? "", /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
  assert.match(rows[0] ?? "", /^example\.com\/team\/new +2 +[0-9a-f]{12} +\d+ years ago +2MB$/);
  assert.match(rows[1] ?? "", /^old +1 +[0-9a-f]{12} +\d+ years ago +1\.5kB$/);
  const [first] = (await ok("images", "--format", "json")).split("\n");
  assert.deepEqual((JSON.parse(first ?? "") as { Tag: string; CreatedAt: string }).CreatedAt, "2021-01-01T00:00:00Z");
  assert.match(await ok("images", "-q"), /^[0-9a-f]{12}\n[0-9a-f]{12}\n$/);
  assert.match(await ok("images", "-q", "--no-trunc"), /^sha256:[0-9a-f]{64}\nsha256:[0-9a-f]{64}\n$/);
  assert.equal(
    await ok("images", "--format", String.raw`table {{.Tag}}\t{{.Size}}`),
    "TAG   SIZE\n2     2MB\n1     1.5kB\n",
  );
  assert.match((await ok("images", "--digests")).split("\n")[0] ?? "", / DIGEST +IMAGE ID /);
});

kernelTest("images filters by name, label, age and lack of a name", async () => {
  assert.equal(await names("old"), "old:1\n");
  assert.equal(await names("example.com/*/new"), "example.com/team/new:2\n");
  assert.equal(await names("--filter", "reference=old:2"), "");
  assert.equal(await names("--filter", "label=stage"), "example.com/team/new:2\n");
  assert.equal(await names("--filter", "label=role=base"), "old:1\n");
  assert.equal(await names("--filter", "before=example.com/team/new:2"), "old:1\n");
  assert.equal(await names("--filter", "since=old:1"), "example.com/team/new:2\n");
  assert.equal(await names("--filter", "dangling=true"), "");
  const wrong = await pycri(["images", "--filter", "colour=red"]);
  assert.equal(wrong.status, 125);
  assert.match(wrong.stderr, /cannot filter images by "colour=red"\nhint: Filters are dangling=/);
});

kernelTest("tag, untag and rmi give and take names; an image goes with its last", async () => {
  await ok("tag", "old:1", "other/name");
  assert.equal(await names("other/name"), "other/name:latest\n");
  const id = (await ok("images", "-q", "old")).trim();
  const refused = await pycri(["rmi", id]);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /the image has 2 names/);
  assert.equal(await ok("rmi", "other/name"), "Untagged: other/name:latest\n");
  await ok("untag", "old:1");
  assert.equal(await names("--filter", "dangling=true"), "<none>:<none>\n");
  await ok("tag", id, "old:1");
  assert.match(
    await ok("rmi", "example.com/team/new:2"),
    /^Untagged: example\.com\/team\/new:2\nDeleted: sha256:[0-9a-f]{64}\n$/,
  );
  // The layer that both had stays.
  assert.equal(await ok("system", "df", "--format", "{{.Type}} {{.TotalCount}}"), "Images 1\nLayers 1\nBlobs 3\n");
  assert.equal(await ok("system", "check"), "");
});

kernelTest("history tells the steps, newest first", async () => {
  const [heading, row] = (await ok("history", "old:1")).split("\n");
  assert.match(heading ?? "", /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$/);
  assert.match(row ?? "", /^[0-9a-f]{12} +\d+ years ago +step 0 +1\.5kB$/);
  assert.equal(await ok("history", "--format", "{{.CreatedBy}}", "old:1"), "step 0\n");
  const id = await ok("images", "-q", "--no-trunc", "old:1");
  assert.equal(await ok("history", "-q", "--no-trunc", "old:1"), id);
  assert.equal(await ok("history", "-q", "old:1"), `${id.slice("sha256:".length, "sha256:".length + 12)}\n`);
});

kernelTest("image prune takes what is old enough and marked, named ones with --all only", async () => {
  const archive = join(makeOwned(join(scratch, "prune")), "images.tar");
  const image = (name: string, created: string, labels: Readonly<Record<string, string>>) => ({
    name: `docker.io/library/${name}:1`,
    layers: [tar([{ name, data: name }])],
    created,
    config: { Labels: labels },
  });
  const today = new Date().toISOString();
  writeImageArchive(archive, [
    image("ancient", "2019-01-01T00:00:00Z", { stage: "test" }),
    image("elder", "2019-06-01T00:00:00Z", { keep: "yes" }),
    image("fresh", today, { stage: "test" }),
  ]);
  await ok("load", "-i", archive);
  const prune = async (...args: readonly string[]): Promise<number> =>
    (await ok("image", "prune", ...args)).split("\n").filter((line) => line.startsWith("deleted: ")).length;
  assert.equal(await prune("--filter", "until=24h"), 0, "they have names");
  await ok("untag", "fresh:1");
  assert.equal(await prune("--filter", "until=24h"), 0, "it is too young");
  assert.equal(await prune("-a", "--filter", "until=2019-03-01", "--filter", "label=stage=other"), 0);
  assert.equal(await prune("-a", "--filter", "until=2019-03-01", "--filter", "label=stage"), 1);
  assert.equal(await names("ancient"), "");
  assert.equal(await prune("-a", "--filter", "until=2019-12-31T00:00:00Z", "--filter", "label!=keep"), 0);
  assert.equal(await prune("--filter", "label=stage=test"), 1);
  assert.equal(await names("elder"), "elder:1\n");
  assert.equal(await prune("-a", "--filter", "until=24h"), 2, "elder and old");
  for (const filter of ["until=yesterday", "until!=24h", "until=", "colour=red"]) {
    const wrong = await pycri(["image", "prune", "--filter", filter]);
    assert.equal(wrong.status, 125);
    assert.match(
      wrong.stderr,
      new RegExp(`cannot filter images to remove by "${filter}"\nhint: Filters are until=24h`),
    );
  }
});
