import assert from "node:assert/strict";
import { test } from "node:test";
import { type MountAttributes, MOUNT_ATTR, MS, sortMountOptions } from "../../../src/oci/mount-options.ts";

const { RDONLY, NOSUID, NODEV, NOEXEC, ATIME, NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW } = MOUNT_ATTR;

const attributeCases: readonly (readonly [readonly string[], MountAttributes])[] = [
  [[], { set: 0n, clear: 0n }],
  [["ro", "nosuid", "nodev", "noexec"], { set: RDONLY | NOSUID | NODEV | NOEXEC, clear: 0n }],
  [["ro", "rw"], { set: 0n, clear: RDONLY }],
  [["rw", "ro"], { set: RDONLY, clear: 0n }],
  [["noexec", "exec"], { set: 0n, clear: NOEXEC }],
  [["nosuid", "suid", "nosuid"], { set: NOSUID, clear: 0n }],
  [["noatime"], { set: NOATIME, clear: ATIME }],
  [["noatime", "strictatime"], { set: STRICTATIME, clear: ATIME }],
  [["noatime", "relatime"], { set: 0n, clear: ATIME }],
  [["noatime", "ro", "nodiratime"], { set: NOATIME | RDONLY | NODIRATIME, clear: ATIME }],
  [["nosymfollow"], { set: NOSYMFOLLOW, clear: 0n }],
];

for (const [options, attributes] of attributeCases) {
  test(`"${options.join(",")}" sets and clears attributes of the mount`, () => {
    const sorted = sortMountOptions(options);
    assert.deepEqual(sorted.attributes, attributes);
    assert.deepEqual(sorted.recursiveAttributes, { set: 0n, clear: 0n });
    assert.deepEqual(sorted.data, []);
  });
}

test("recursive variants are kept apart from those of the mount alone", () => {
  const sorted = sortMountOptions(["rbind", "rro", "rnoatime", "nosuid"]);
  assert.deepEqual(sorted.recursiveAttributes, { set: RDONLY | NOATIME, clear: ATIME });
  assert.deepEqual(sorted.attributes, { set: NOSUID, clear: 0n });
  assert.equal(sorted.recursiveBind, true);
});

test("relatime and rw are no recursive variants", () => {
  assert.deepEqual(sortMountOptions(["relatime"]).recursiveAttributes, { set: 0n, clear: 0n });
  assert.deepEqual(sortMountOptions(["rw"]).recursiveAttributes, { set: 0n, clear: 0n });
});

test("the last propagation wins, and carries MS_REC for the r-form", () => {
  assert.equal(sortMountOptions(["shared", "rslave"]).propagation, MS.SLAVE | MS.REC);
  assert.equal(sortMountOptions(["rprivate", "private"]).propagation, MS.PRIVATE);
});

test("bind, idmap and ridmap are recognised", () => {
  assert.deepEqual(
    [["bind"], ["rbind"], ["idmap"], ["ridmap"]].map((options) => {
      const { bind, recursiveBind, idmap } = sortMountOptions(options);
      return [bind, recursiveBind, idmap];
    }),
    [
      [true, false, "none"],
      [true, true, "none"],
      [false, false, "mount"],
      [false, false, "tree"],
    ],
  );
});

test("what is left is data for the file system, without the options that mean nothing", () => {
  assert.deepEqual(sortMountOptions(["defaults", "size=1m", "ro", "async", "constructor", "dirsync"]).data, [
    "size=1m",
    "constructor",
    "dirsync",
  ]);
});
