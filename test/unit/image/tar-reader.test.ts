/**
 * Reading tar archives: what GNU tar writes, what readers are known to disagree on, and tar-stream, an independent reader,
 * beside ours on honest archives.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { extract } from "tar-stream";
import { RuntimeError } from "../../../src/errors.ts";
import {
  encodePaxRecords,
  formatPaxTime,
  parsePaxRecords,
  parsePaxTime,
} from "../../../src/image/layer/pax-records.ts";
import { LeadingMap, storedBytes } from "../../../src/image/layer/sparse-map.ts";
import { type TarEntry, readTar } from "../../../src/image/layer/tar-reader.ts";
import { type Member, member, tar } from "../../support/tar.ts";

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
  assert.deepEqual(first.entry.mtime, { seconds: 1, nanoseconds: 500_000_000 });
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

/** A PAX header alone. */
function paxHeader(records: Readonly<Record<string, string>>): Buffer {
  return member({ name: "PaxHeaders/x", type: "x", data: encodePaxRecords(new Map(Object.entries(records))) });
}

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
  ["an unknown type", tar([{ name: "s", type: "V" }]), /type that is not supported: "V"/],
  ["GNU's sparse type in a POSIX header", tar([{ name: "s", type: "S" }]), /sparse file in another format/],
  ["a size with a stray letter", tar([{ name: "a", patch: (block) => block.write("12x", 124) }]), /size is no octal/],
  ["a negative size", tar([{ name: "a", patch: (block) => block.fill(0xff, 124, 136) }]), /its size is -1/],
  ["a size beyond 2^53", tar([{ name: "a", patch: (block) => block.fill(0xbf, 124, 136) }]), /size is out of range/],
  ["a checksum field of letters", tar([{ name: "a" }]).fill("z", 148, 154), /checksum is no octal/],
  ["an extended header of 2 MiB (CVE-2022-2879)", tar([{ name: "x", type: "x", size: 2 << 20 }]), /header of 2097152/],
  [
    "two PAX headers in a row (CVE-2025-62518 class)",
    Buffer.concat([paxHeader({ size: "512" }), paxHeader({ size: "0" }), tar([{ name: "a" }])]),
    /two extended headers of one kind/,
  ],
  [
    "a PAX path beside another long name",
    Buffer.concat([paxHeader({ path: "a" }), tar([{ name: "././@LongLink", type: "L", data: "b\0" }, { name: "c" }])]),
    /give two names: "a" and "b"/,
  ],
  ["a PAX header at the end", Buffer.concat([paxHeader({ path: "a" }), tar([])]), /ends after an extended header/],
  [
    "a sparse map of another length than the data",
    tar([{ name: "a", data: "abc", pax: { "GNU.sparse.size": "10", "GNU.sparse.map": "0,4" } }]),
    /it lists 4 bytes, and 3 are stored/,
  ],
  [
    "sparse pairs out of order",
    tar([{ name: "a", pax: { "GNU.sparse.size": "10", "GNU.sparse.numbytes": "4" } }]),
    /PAX header is malformed/,
  ],
  ["a time of letters", tar([{ name: "a", pax: { mtime: "1e9" } }]), /is not a time/],
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

test("the size of a PAX header counts, not the header block's (CVE-2025-62518)", async () => {
  const inner = member({ name: "inner", data: "hidden" });
  const members = await read(
    tar([{ name: "outer", data: inner, size: 0, pax: { size: String(inner.length) } }, { name: "next" }]),
  );
  assert.deepEqual(
    members.map(({ entry, data }) => [entry.name, data.length]),
    [
      ["outer", inner.length],
      ["next", 0],
    ],
  );
});

test("numbers in base 256 and signed checksums are read", async () => {
  const uid = (block: Buffer): void => void block.fill(0, 108, 116).writeUInt8(0x80, 108);
  const [first] = await read(
    tar([
      {
        name: "a",
        patch: (block) => {
          uid(block);
          block.writeUInt32BE(3_000_000, 112);
          block.fill(0xff, 136, 148).writeUInt8(0xfe, 147);
        },
      },
    ]),
  );
  assert.equal(first?.entry.uid, 3_000_000);
  assert.deepEqual(first.entry.mtime, { seconds: -2, nanoseconds: 0 });
  const archive = tar([{ name: "\xff" }]);
  const sum = Number.parseInt(archive.toString("latin1", 148, 154), 8) - 256;
  archive.write(sum.toString(8).padStart(6, "0"), 148, "latin1");
  assert.equal((await read(archive))[0]?.entry.name, "\xff");
});

test("times keep their nanoseconds, before 1970 too", () => {
  for (const [text, seconds, nanoseconds] of [
    ["1700000000.123456789", 1_700_000_000, 123_456_789],
    ["0.5", 0, 500_000_000],
    ["-1.25", -2, 750_000_000],
    ["-3", -3, 0],
  ] as const) {
    assert.deepEqual(parsePaxTime(text), { seconds, nanoseconds });
    assert.equal(formatPaxTime({ seconds, nanoseconds }), text);
  }
  assert.deepEqual(parsePaxTime("1.1234567899"), { seconds: 1, nanoseconds: 123_456_789 });
});

const folder = mkdtempSync(join(tmpdir(), "pycri-tar-"));
after(() => rmSync(folder, { recursive: true }));

/** What GNU tar writes for the files in `folder`. */
function gnuTar(...args: readonly string[]): Buffer {
  return execFileSync("tar", ["-C", folder, "-cf", "-", ...args], { maxBuffer: 64 * 1024 * 1024 });
}

/** A file of `size` with these pieces, the rest holes; none of the pieces has zeros in it. */
function writeSparse(name: string, size: number, pieces: readonly (readonly [offset: number, text: string])[]): Buffer {
  const descriptor = openSync(join(folder, name), "w");
  for (const [offset, text] of pieces) writeSync(descriptor, text, offset);
  ftruncateSync(descriptor, size);
  closeSync(descriptor);
  return readFileSync(join(folder, name));
}

/** The file that an entry and its stored data stand for. */
function expand({ entry, data }: ReadMember): Buffer {
  assert.ok(entry.sparse !== null);
  const file = Buffer.alloc(entry.sparse.size);
  const stored = Buffer.from(data, "latin1");
  const map = entry.sparse.segments ?? new LeadingMap(entry.sparse.size).read(stored)?.segments ?? [];
  let at = entry.sparse.segments === null ? stored.length - storedBytes(map) : 0;
  for (const { offset, length } of map) {
    stored.copy(file, offset, at, at + length);
    at += length;
  }
  return file;
}

const KiB = 1024;
const SPARSE_FORMATS = [
  ["--format=gnu"],
  ...["0.0", "0.1", "1.0"].map((version) => ["--format=posix", `--sparse-version=${version}`]),
];
for (const format of SPARSE_FORMATS) {
  test(`sparse files of GNU tar ${format.join(" ")}, with few and with many segments`, async () => {
    const few = writeSparse("few", 300 * KiB, [
      [0, "begin"],
      [200 * KiB, "middle"],
    ]);
    const many = writeSparse(
      "many",
      4000 * KiB,
      Array.from({ length: 60 }, (_, index) => [(index + 1) * 64 * KiB, `piece ${index}`] as const),
    );
    const members = await read(gnuTar("-S", ...format, "few", "many"));
    assert.deepEqual(
      members.map(({ entry }) => entry.sparse?.name ?? entry.name),
      ["few", "many"],
    );
    for (const [index, file] of [few, many].entries()) {
      const found = members[index];
      assert.ok(found !== undefined && found.data.length < file.length / 4, "it is stored without its holes");
      assert.ok(expand(found).equals(file));
    }
  });
}

for (const [name, text, words] of [
  ["too many segments (CVE-2025-58183)", "99999999\n", /it has 99999999 segments/],
  ["no end", "1".repeat(600), /a number has no end/],
  ["a segment beyond the file's end", "1\n8\n4\n", /beyond the file's end/],
  ["overlapping segments", "2\n0\n4\n2\n4\n", /segments overlap/],
  ["letters", "1\nx\n4\n", /"x" is not a number/],
] as const) {
  test(`a sparse map with ${name}: INVALID_LAYER`, () => {
    assert.throws(
      () => new LeadingMap(10).read(Buffer.from(text.padEnd(1024, "\0"))),
      (error) => error instanceof RuntimeError && error.code === "INVALID_LAYER" && words.test(error.message),
    );
  });
}

test("a sparse map is read in pieces of any size", () => {
  const text = `3\n0\n5\n512\n7\n1000\n0\n`;
  const map = Buffer.concat([Buffer.from(text.padEnd(512, "\0")), Buffer.from("data")]);
  for (let size = 1; size <= map.length; size++) {
    const leading = new LeadingMap(1000);
    let at = 0;
    let found: ReturnType<LeadingMap["read"]> = null;
    for (; found === null && at < map.length; at += size) found = leading.read(map.subarray(at, at + size));
    assert.ok(found !== null);
    assert.deepEqual(found.segments, [
      { offset: 0, length: 5 },
      { offset: 512, length: 7 },
    ]);
    assert.equal(at - size + found.end, 512, `in pieces of ${size}`);
  }
});

test("tar-stream reads honest archives as we do", async () => {
  // Two parts: ustar can split them, the others need their long names.
  mkdirSync(join(folder, "d".repeat(60)));
  writeFileSync(join(folder, "d".repeat(60), "n".repeat(60)), "long");
  symlinkSync("few", join(folder, "link"));
  mkdirSync(join(folder, "directory"));
  for (const format of ["ustar", "gnu", "posix"]) {
    const archive = gnuTar(`--format=${format}`, "--sort=name", "--exclude=many", ".");
    const theirs: unknown[] = [];
    const other = extract();
    other.on("entry", (header, stream, next) => {
      const parts: Buffer[] = [];
      stream.on("data", (part) => parts.push(part as Buffer));
      stream.on("end", () => {
        const { name, type, mode, uid, gid, size, linkname } = header;
        theirs.push([name, type, mode, uid, gid, size, linkname ?? "", Buffer.concat(parts).toString("latin1")]);
        next();
      });
    });
    const closed = new Promise<void>((resolve, reject) => {
      other.on("finish", () => resolve());
      other.on("error", reject);
    });
    other.end(archive);
    await closed;
    const ours = (await read(archive)).map(({ entry, data }) => {
      const { name, type, mode, uid, gid, size, linkName } = entry;
      return [name, type, mode, uid, gid, size, linkName, data];
    });
    assert.ok(ours.length >= 3);
    assert.deepEqual(ours, theirs, format);
  }
});

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
  // The repeated pairs of GNU's sparse format 0.0 become one record.
  const key = bytes.filter((text) => text !== "" && !text.includes("=") && !text.startsWith("GNU.sparse."));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, bytes)), (entries) => {
      const records = new Map(entries);
      assert.deepEqual(parsePaxRecords(encodePaxRecords(records)), records);
    }),
  );
});
