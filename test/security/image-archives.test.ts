/**
 * Malicious layer archives, one test per class of advisory: each is imported by an unprivileged user, and either fails with
 * its code or stays inside its layer. The victims are files of that user next to the store.
 */

import assert from "node:assert/strict";
import { chownSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { caller } from "../support/caller.ts";
import { pycri } from "../support/run.ts";
import { home, runtimeDirectory } from "../support/scratch.ts";
import { type Member, tar } from "../support/tar.ts";

const victim = join(home, "victim");

before(() => {
  writeFileSync(victim, "untouched\n");
  chownSync(victim, caller.uid, caller.gid);
});

let count = 0;

async function load(
  archive: Uint8Array,
  ...args: readonly string[]
): Promise<{ readonly status: number | null; readonly stderr: string; readonly id: string }> {
  const file = join(runtimeDirectory, `evil-${count++}.tar`);
  writeFileSync(file, archive);
  chownSync(file, caller.uid, caller.gid);
  const { status, stderr, stdout } = await pycri(["import", ...args, file]);
  return { status, stderr, id: stdout.trim() };
}

async function refused(members: readonly Member[], words: RegExp, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await load(tar(members), ...args);
  assert.equal(status, 125, stderr);
  assert.match(stderr, words);
  assert.equal(readFileSync(victim, "utf8"), "untouched\n");
  assert.deepEqual(readdirSync(join(home, ".local/share/pycri/staging")), []);
}

/** It unpacks, and nothing outside has changed. @returns where the layer lies. */
async function stays(members: readonly Member[]): Promise<string> {
  const { status, stderr, id } = await load(tar(members));
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(victim, "utf8"), "untouched\n");
  const inspected = await pycri(["image", "inspect", "--format", "{{index .GraphDriver.Data.LowerDirs 0}}", id]);
  assert.equal(inspected.status, 0, inspected.stderr);
  return inspected.stdout.trim();
}

test("a name with .. is refused (CVE-2018-15664, zip slip)", () =>
  refused([{ name: "../../../victim", data: "x" }], /has "\.\."/));

test("an absolute name stays inside", async () => {
  const diff = await stays([{ name: victim, data: "x" }]);
  assert.equal(readFileSync(join(diff, victim), "utf8"), "x");
});

test("a file through a symlink to the outside is not written there (CVE-2019-14271, CVE-2021-32803)", () =>
  refused(
    [
      { name: "out", type: "2", linkName: home },
      { name: "out/victim", data: "x" },
    ],
    /no directory/,
  ));

test("a symlink put in place of a directory is not followed outside (CVE-2021-37701)", async () => {
  const diff = await stays([
    { name: "d/", type: "5", mode: 0o700 },
    { name: "d/a", data: "1" },
    { name: "d", type: "2", linkName: "/" },
    { name: "d/b", data: "2" },
  ]);
  assert.equal(readFileSync(join(diff, "b"), "utf8"), "2");
  assert.ok(!existsSync("/b"));
});

test("a symlink in place of a file that is written again is replaced (CVE-2021-37712)", async () => {
  const diff = await stays([
    { name: "f", type: "2", linkName: victim },
    { name: "f", data: "x" },
  ]);
  assert.equal(readFileSync(join(diff, "f"), "utf8"), "x");
});

test("a hard link to the outside is refused (CVE-2018-20835, CVE-2024-28863)", async () => {
  await refused([{ name: "h", type: "1", linkName: `../../../../../..${victim}` }], /has "\.\."/);
  await refused([{ name: "h", type: "1", linkName: victim }], /which the layer does not have/);
});

test("a hard link through a symlink stays inside", () =>
  refused(
    [
      { name: "s", type: "2", linkName: home },
      { name: "h", type: "1", linkName: "s/victim" },
    ],
    /which the layer does not have/,
  ));

test("a whiteout of .. is refused (CVE-2022-23648 class)", () =>
  refused([{ name: "d/.wh...", data: "" }], /whiteout of no file/));

test("a whiteout through a symlink deletes nothing outside", () =>
  refused([{ name: "s", type: "2", linkName: home }, { name: "s/.wh.victim" }], /no directory/));

test("device nodes are left out", async () => {
  const diff = await stays([
    { name: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
    { name: "disk", type: "4", major: 8, minor: 0, mode: 0o666 },
    { name: "kept" },
  ]);
  assert.deepEqual(readdirSync(diff), ["kept"]);
});

test("set-id files keep their bits and belong to subordinate ids only", async () => {
  const { status, id } = await load(tar([{ name: "su", mode: 0o4755, uid: 7, gid: 7, data: "x" }]));
  assert.equal(status, 0);
  assert.match(id, /^sha256:/);
});

test("ids that are not mapped are refused with the remedy", () =>
  refused([{ name: "f", pax: { uid: "4000000000" } }], /not mapped|subuid/i));

test("names longer than the kernel takes are refused", async () => {
  await refused([{ name: "x", pax: { path: "a/".repeat(32_768) } }], /bytes long/);
  await refused([{ name: "x", pax: { path: "a".repeat(300) } }], /a part of 300 bytes/);
});

test("limits: entries, depth, bytes", async () => {
  const many = Array.from({ length: 20 }, (_, index) => ({ name: `f${index}` }));
  await refused(many, /limit entries=10/, "--unpack-limit", "entries=10");
  await refused([{ name: "a/b/c/d/e" }], /limit depth=3/, "--unpack-limit", "depth=3");
  await refused([{ name: "f", data: "x".repeat(5000) }], /limit bytes=1000/, "--unpack-limit", "bytes=1000");
});

test("a bomb is stopped by its ratio", async () => {
  const bomb = gzipSync(tar([{ name: "zeros", data: Buffer.alloc(300 * 1024 * 1024) }]));
  const { status, stderr } = await load(bomb, "--unpack-limit", "ratio=100");
  assert.equal(status, 125);
  assert.match(stderr, /limit ratio=100/);
});

test("headers that readers disagree on are refused (CVE-2025-62518 class)", async () => {
  await refused([{ name: "d", type: "5", size: 1024 }, { name: "x" }], /claims 1024 bytes/);
  await refused([{ name: "a", brokenChecksum: true }], /Invalid tar header/);
});

test("attributes that overlayfs obeys are left out", async () => {
  const diff = await stays([
    { name: "d/", type: "5", mode: 0o755, pax: { "SCHILY.xattr.user.overlay.redirect": "/etc" } },
    { name: "f", pax: { "SCHILY.xattr.trusted.overlay.metacopy": "x", "SCHILY.xattr.user.ok": "1" } },
  ]);
  assert.deepEqual(readdirSync(diff).toSorted(), ["d", "f"]);
});
