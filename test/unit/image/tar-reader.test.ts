/** Reading tar archives: what tar-stream gives, what is added to it, and what readers are known to disagree on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type TarEntry, readTar } from "../../../src/image/layer/tar-reader.ts";
import { encodePaxRecords, parsePaxRecords } from "../../../src/image/layer/pax-records.ts";
import { type Member, member, tar } from "../../support/tar.ts";
import fc from "fast-check";

interface ReadMember {
  readonly entry: TarEntry;
  readonly data: string;
}

async function read(archive: Uint8Array, chunkSize = 700): Promise<readonly ReadMember[]> {
  const members: ReadMember[] = [];
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < archive.length; at += chunkSize) yield archive.subarray(at, at + chunkSize);
  };
  await readTar(chunks(), (entry) => {
    const parts: Uint8Array[] = [];
    return {
      write: (chunk) => void parts.push(Buffer.from(chunk)),
      end: () => void members.push({ entry, data: Buffer.concat(parts).toString("latin1") }),
    };
  });
  return members;
}

const refused = (archive: Uint8Array, words: RegExp): Promise<void> =>
  assert.rejects(read(archive), (error: Error & { code?: string }) => {
    assert.equal(error.code, "INVALID_LAYER");
    assert.match(error.message, words);
    return true;
  });

test("files, links and directories come in order with their data", async () => {
  const members = await read(
    tar([
      { name: "d/", type: "5", mode: 0o1777 },
      { name: "d/f", data: "x".repeat(1500), uid: 33, gid: 44 },
      { name: "d/l", type: "2", linkName: "../f" },
      { name: "d/h", type: "1", linkName: "d/f" },
    ]),
  );
  assert.deepEqual(
    members.map(({ entry, data }) => [entry.type, entry.name, entry.linkName, data.length]),
    [
      ["directory", "d/", "", 0],
      ["file", "d/f", "", 1500],
      ["symlink", "d/l", "../f", 0],
      ["link", "d/h", "d/f", 0],
    ],
  );
  assert.deepEqual([members[1]?.entry.uid, members[1]?.entry.gid, members[0]?.entry.mode], [33, 44, 0o1777]);
});

test("PAX records hold long names, ids, times and binary attributes", async () => {
  const value = "\x01\x00\x00\x02\x80\xff\n=\x00";
  const [first] = await read(
    tar([
      {
        name: "short",
        pax: { path: "n".repeat(300), uid: "3000000", mtime: "1.5", "SCHILY.xattr.security.capability": value },
      },
    ]),
  );
  assert.equal(first?.entry.name, "n".repeat(300));
  assert.equal(first.entry.uid, 3_000_000);
  assert.equal(first.entry.mtime, 1.5);
  assert.equal(first.entry.attributes.get("security.capability"), value);
});

test("names that are not UTF-8 keep their bytes", async () => {
  const [first] = await read(tar([{ name: "caf\xe9" }]));
  assert.equal(first?.entry.name, "caf\xe9");
});

test("GNU long names of 64 KiB are read and left to the path rules", async () => {
  const long = "a".repeat(65_536);
  const [first] = await read(tar([{ name: "././@LongLink", type: "L", data: `${long}\0` }, { name: "x" }]));
  assert.equal(first?.entry.name.length, 65_536);
});

test("what follows the end marker is ignored, as Go's reader does", async () => {
  const archive = Buffer.concat([tar([{ name: "a" }]), tar([{ name: "hidden" }])]);
  assert.deepEqual(
    (await read(archive)).map(({ entry }) => entry.name),
    ["a"],
  );
});

test("a global header does not rename what follows", async () => {
  const records = Buffer.from(encodePaxRecords(new Map([["path", "evil"]])));
  const archive = tar([
    { name: "g", type: "g", data: records },
    { name: "a", pax: { mtime: "1" } },
  ]);
  assert.deepEqual(
    (await read(archive)).map(({ entry }) => entry.name),
    ["a"],
  );
});

const BROKEN: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["a wrong checksum", tar([{ name: "a", brokenChecksum: true }]), /Invalid tar header/],
  ["a file cut short", tar([{ name: "a", data: "x".repeat(2000) }]).subarray(0, 1024), /Unexpected end/],
  ["half a header", tar([{ name: "a" }]).subarray(0, 200), /Unexpected end/],
  [
    "a single zero block",
    Buffer.concat([member({ name: "a" }), Buffer.alloc(512), member({ name: "b" })]),
    /zero block/,
  ],
  ["a directory with data", tar([{ name: "d", type: "5", size: 512 }, { name: "x" }]), /claims 512 bytes/],
  ["a symlink with data", tar([{ name: "l", type: "2", linkName: "a", data: "x" }]), /claims 1 bytes/],
  ["an unknown type", tar([{ name: "s", type: "S" }]), /type that is not supported/],
  ["a size of letters", tar([{ name: "a", pax: { size: "0x10" } }]), /not a size/],
  [
    "a PAX header without lengths",
    tar([{ name: "x", type: "x", data: "path=evil\n" }, { name: "a" }]),
    /PAX header is malformed/,
  ],
  ["an id of letters", tar([{ name: "a", pax: { uid: "root" } }]), /not a user or group id/],
  ["random bytes", Buffer.alloc(1024, 7), /Invalid tar header/],
];

for (const [name, archive, words] of BROKEN) test(`${name}: INVALID_LAYER`, () => refused(archive, words));

test("what a handler throws ends the reading", async () => {
  const failure = new Error("stop");
  await assert.rejects(
    readTar(
      (async function* () {
        yield tar([{ name: "a" }, { name: "b" }]);
      })(),
      () => {
        throw failure;
      },
    ),
    /stop/,
  );
});

test("any archive of honest members is read back, however it is cut into chunks", async () => {
  const honest = fc.record({
    name: fc.stringMatching(/^[a-z]{1,90}$/),
    data: fc.string({ maxLength: 2000 }).map((text) => Buffer.from(text)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(honest, { maxLength: 8 }), fc.integer({ min: 1, max: 3000 }), async (members, size) => {
      const found = await read(tar(members as Member[]), size);
      assert.deepEqual(
        found.map(({ entry, data }) => [entry.name, data]),
        members.map(({ name, data }) => [name, data.toString("latin1")]),
      );
    }),
    { numRuns: 60 },
  );
});

test("PAX records of any bytes come back", () => {
  const bytes = fc.uint8Array({ maxLength: 120 }).map((array) => Buffer.from(array).toString("latin1"));
  const key = bytes.filter((text) => text !== "" && !text.includes("="));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, bytes)), (entries) => {
      const records = new Map(entries);
      assert.deepEqual(parsePaxRecords(encodePaxRecords(records)), records);
    }),
  );
});
