/**
 * Malicious layer archives, at least one for each class of advisory that container engines and tar libraries have had. An
 * unprivileged user unpacks them with the image worker; each either fails with its code, or what it made is told exactly. In
 * both cases the files around the layer, which the archives aim at by their real paths, must be as they were, down to
 * their change times. What the command line says of such archives is at the end.
 */

import assert from "node:assert/strict";
import { chownSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { encodePaxRecords } from "../../src/image/layer/pax-records.ts";
import { makeDigest } from "../../src/oci/descriptor.ts";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { pycri } from "../support/run.ts";
import { home, makeOwned, scratch } from "../support/scratch.ts";
import { type Member, member, tar } from "../support/tar.ts";
import { type UnpackOptions, asNamespaceRoot, newDirectory, snapshot, unpack } from "../support/unpack.ts";

/** What archives aim at; it belongs to the caller, who may write all of it. */
const outside = makeOwned(join(scratch, "outside"));
for (const path of ["directory", "directory/below"]) makeOwned(join(outside, path));
for (const path of ["victim", "directory/victim", "directory/below/victim"]) {
  writeFileSync(join(outside, path), "untouched\n", { mode: 0o600 });
  chownSync(join(outside, path), caller.uid, caller.gid);
}
symlinkSync("victim", join(outside, "link"));

const attack = (name: string, body: () => Promise<void>): void => kernelTest(name, body, ["attributes"]);

interface Case {
  readonly name: string;
  readonly members: readonly Member[] | Uint8Array;
  readonly options?: UnpackOptions;
  /** It is refused, with this code and these words. */
  readonly refused?: readonly [code: string, words: RegExp];
  /** It is accepted, and these are the files: `path type mode owner content-or-target`. */
  readonly makes?: readonly string[];
  readonly notes?: readonly RegExp[];
}

const directory = (name: string, mode = 0o755): Member => ({ name, type: "5", mode });
const symlink = (name: string, linkName: string): Member => ({ name, type: "2", linkName });
const hardLink = (name: string, linkName: string): Member => ({ name, type: "1", linkName });
const file = (name: string, data = "evil\n"): Member => ({ name, data });
const up = "../".repeat(30);
const invalid = (words: RegExp): readonly [string, RegExp] => ["INVALID_LAYER", words];

const ESCAPES: readonly Case[] = [
  {
    name: "a name with .. (CVE-2007-4559, CVE-2018-15664)",
    members: [file(`${up}${outside}/victim`)],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "a name with .. in its middle",
    members: [directory("a/"), file("a/../../victim")],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "an absolute name (CVE-2021-32804)",
    members: [file("/victim"), file("////abs")],
    makes: ["abs f 644 0:0 evil", "victim f 644 0:0 evil"],
  },
  {
    name: "a name of .. in a PAX record",
    members: [{ name: "a", pax: { path: "../victim" } }],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "a name of .. as GNU's long name",
    members: [{ name: "././@LongLink", type: "L", data: "../victim\0" }, file("a")],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "a name of .. that a sparse file hides (GNU.sparse.name)",
    members: [{ name: "a", pax: { "GNU.sparse.size": "0", "GNU.sparse.map": "", "GNU.sparse.name": "../victim" } }],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "a name with NUL, which C reads to there only",
    members: [{ name: "a", pax: { path: "a\0/../victim" } }],
    refused: invalid(/NUL/),
  },
  {
    name: "a file through a symlink to the outside (CVE-2014-6407, CVE-2021-32803, CVE-2020-10696)",
    members: [symlink("out", outside), file("out/victim")],
    refused: invalid(/no directory/),
  },
  {
    name: "a file through a symlink of many .. (CVE-2025-48387)",
    members: [symlink("out", up + outside), file("out/victim")],
    refused: invalid(/no directory/),
  },
  {
    name: "a file through two symlinks, each harmless alone (CVE-2025-4330)",
    members: [directory("a/"), symlink("a/up", ".."), symlink("out", `a/up/up/..${outside}`), file("out/victim")],
    refused: invalid(/no directory/),
  },
  {
    name: "the root of the layer as a symlink (CVE-2021-29136)",
    members: [symlink(".", outside), file("victim")],
    refused: invalid(/is the root of the layer and a symlink/),
  },
  {
    name: "the root of the layer as a file",
    members: [file("/.")],
    refused: invalid(/is the root of the layer and a file/),
  },
  {
    name: "a directory that becomes a symlink between entries (CVE-2021-37701)",
    members: [directory("d/", 0o700), file("d/victim", "1"), symlink("d", outside), file("d/victim", "2")],
    refused: invalid(/no directory/),
  },
  {
    name: "a directory that becomes a symlink to the root: it is the layer's",
    members: [directory("d/"), file("d/a", "1"), symlink("d", "/"), file("d/b", "2")],
    makes: ["b f 644 0:0 2", "d l 777 0:0 /"],
  },
  {
    name: "names that a file system may fold together (CVE-2021-37712)",
    members: [directory("caf\u00e9/"), symlink("cafe\u0301", outside), file("cafe\u0301/victim")],
    refused: invalid(/no directory/),
  },
  {
    name: "a file over a symlink to the outside replaces the symlink (CVE-2018-20834)",
    members: [symlink("f", join(outside, "victim")), file("f")],
    makes: ["f f 644 0:0 evil"],
  },
  {
    name: "a directory over a symlink to the outside replaces it, its mode goes nowhere else (CVE-2021-32760)",
    members: [symlink("d", join(outside, "directory")), directory("d/", 0o777), file("d/victim")],
    makes: ["d d 777 0:0", "d/victim f 644 0:0 evil"],
  },
  {
    name: "the mode and time of a directory after a symlink took its place (CVE-2021-41089, CVE-2024-12718)",
    members: [directory("a/"), symlink("s", "a"), directory("s/d/", 0o700), symlink("s", outside), file("x")],
    makes: ["a d 755 0:0", "a/d d 700 0:0", `s l 777 0:0 ${outside}`, "x f 644 0:0 evil"],
  },
  {
    name: "a hard link to the outside by .. (CVE-2018-20835)",
    members: [hardLink("h", `${up}${outside}/victim`)],
    refused: invalid(/has "\.\."/),
  },
  {
    name: "a hard link to the outside by its path (CVE-2024-12905)",
    members: [hardLink("h", join(outside, "victim"))],
    refused: invalid(/which the layer does not have/),
  },
  {
    name: "a hard link to the outside through a symlink (CVE-2016-6321)",
    members: [symlink("s", outside), hardLink("h", "s/victim"), file("h")],
    refused: invalid(/which the layer does not have/),
  },
  {
    name: "a hard link to a symlink, then its mode (CVE-2021-32760)",
    members: [symlink("s", join(outside, "victim")), hardLink("h", "s"), { name: "h", mode: 0o4777, data: "x" }],
    makes: ["h f 4777 0:0 x", `s l 777 0:0 ${outside}/victim`],
  },
  {
    name: "a hard link to the outside through a chain of symlinks (CVE-2026-26960)",
    members: [symlink("a", "."), symlink("a/b", `..${up}`), hardLink("h", `b${outside}/victim`)],
    refused: invalid(/which the layer does not have/),
  },
  {
    name: "a hard link whose target is harmless seen from its own directory only (CVE-2026-24842)",
    members: [hardLink("a/b/c/d/h", "../../../../victim")],
    refused: invalid(/has "\.\."/),
  },
  { name: "a hard link to itself", members: [hardLink("h", "h")], refused: invalid(/hard link to itself/) },
  { name: "a hard link to the root", members: [hardLink("h", "/")], refused: invalid(/hard link to the root/) },
  {
    name: "a hard link to a directory",
    members: [directory("d/"), hardLink("h", "d")],
    refused: invalid(/hard link to a directory/),
  },
  {
    name: "a hard link whose target becomes a symlink (CVE-2026-23745 class)",
    members: [file("a", "1"), hardLink("b", "a"), symlink("a", join(outside, "victim")), file("b", "2")],
    makes: [`a l 777 0:0 ${outside}/victim`, "b f 644 0:0 2"],
  },
  { name: "a symlink to nothing", members: [symlink("s", "")], refused: invalid(/symlink to nothing/) },
  {
    name: "a symlink loop as parent",
    members: [symlink("a", "b"), symlink("b", "a"), file("a/x")],
    refused: invalid(/no directory/),
  },
  { name: "a file as parent", members: [file("a"), file("a/b")], refused: invalid(/no directory/) },
];

const TYPE_CHANGES: readonly Case[] = [
  {
    name: "one name as each kind in turn: the last one is left",
    members: [
      file("n"),
      directory("n/"),
      file("n/x"),
      symlink("n", outside),
      { name: "n", type: "6", mode: 0o600 },
      directory("n", 0o711),
    ],
    makes: ["n d 711 0:0"],
  },
  {
    name: "a directory replaced by a hard link to a file in it",
    members: [directory("d/"), file("d/a"), hardLink("d", "d/a")],
    refused: invalid(/hard link to a file in the directory that it replaces/),
  },
  {
    name: "a directory replaced through a symlink to it",
    members: [
      directory("real/"),
      file("real/kept", "1"),
      symlink("s", "real"),
      directory("s/sub/", 0o700),
      file("s/sub", "2"),
    ],
    makes: ["real d 755 0:0", "real/kept f 644 0:0 1", "real/sub f 644 0:0 2", "s l 777 0:0 real"],
  },
];

const WHITEOUTS: readonly Case[] = [
  {
    name: "a whiteout of the parent, .wh... ",
    members: [directory("d/"), file("d/.wh...", "")],
    options: { upper: true },
    refused: invalid(/whiteout of no file/),
  },
  {
    name: "a whiteout of the directory itself, .wh..",
    members: [file("d/.wh..", "")],
    options: { upper: true },
    refused: invalid(/whiteout of no file/),
  },
  {
    name: "a whiteout of nothing, .wh.",
    members: [file(".wh.", "")],
    options: { upper: true },
    refused: invalid(/whiteout of no file/),
  },
  {
    name: "a whiteout with a path",
    members: [file(".wh.../../victim", "")],
    options: { upper: true },
    refused: invalid(/has "\.\."|whiteout/),
  },
  {
    name: "a whiteout through a symlink",
    members: [symlink("s", outside), file("s/.wh.victim", "")],
    options: { upper: true },
    refused: invalid(/no directory/),
  },
  {
    name: "an opaque mark through a symlink",
    members: [symlink("s", outside), file("s/.wh..wh..opq", "")],
    options: { upper: true },
    refused: invalid(/no directory/),
  },
  {
    name: "an opaque mark through a symlink within the layer marks the directory",
    members: [directory("d/"), symlink("s", "d"), file("s/.wh..wh..opq", "")],
    options: { upper: true },
    makes: ["d d 755 0:0 opaque", "s l 777 0:0 d"],
  },
  {
    name: "a file below a whiteout",
    members: [file(".wh.a/b")],
    options: { upper: true },
    refused: invalid(/below a whiteout/),
  },
  {
    name: "AUFS's own files",
    members: [
      file(".wh..wh.aufs", ""),
      directory(".wh..wh.plnk/"),
      file(".wh..wh.plnk/1.2"),
      hardLink("h", ".wh..wh.plnk/1.2"),
    ],
    options: { upper: true },
    refused: invalid(/which the layer does not have/),
  },
  {
    name: "an overlay whiteout as device 0:0, and a hard link to it",
    members: [{ name: "gone", type: "3" }, hardLink("h", "gone")],
    options: { upper: true },
    refused: invalid(/which the layer does not have/),
  },
  {
    name: "a whiteout does not take away what its own layer has",
    members: [
      file("a"),
      file(".wh.a", ""),
      file(".wh.b", ""),
      file("b"),
      directory("c/"),
      file("c/x"),
      file(".wh.c", ""),
    ],
    options: { upper: true },
    makes: ["a f 644 0:0 evil", "b f 644 0:0 evil", "c d 755 0:0 opaque", "c/x f 644 0:0 evil"],
  },
];

const overlay = (name: string, value = "x"): Readonly<Record<string, string>> => ({ [`SCHILY.xattr.${name}`]: value });

const NODES_AND_ATTRIBUTES: readonly Case[] = [
  {
    name: "device nodes",
    members: [
      { name: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { name: "disk", type: "4", major: 8, minor: 0, mode: 0o666 },
      file("kept"),
    ],
    makes: ["kept f 644 0:0 evil"],
    notes: [/device node "null" left out/, /device node "disk" left out/],
  },
  {
    name: "a file written through a device node that was left out",
    members: [{ name: "disk", type: "4", major: 8, minor: 0 }, file("disk")],
    makes: ["disk f 644 0:0 evil"],
    notes: [/device node "disk" left out/],
  },
  {
    name: "attributes that overlayfs or fuse-overlayfs obeys",
    members: [
      { ...directory("d/"), pax: overlay("user.overlay.redirect", "/etc") },
      { name: "m", pax: overlay("trusted.overlay.metacopy", "") },
      { name: "r", pax: overlay("user.overlay.metacopy", "") },
      { name: "w", pax: overlay("user.fuseoverlayfs.override_stat", "0:0:4755") },
      { name: "c", pax: overlay("user.containers.override_stat", "0:0:4755") },
      { name: "ok", pax: overlay("user.ok", "1") },
    ],
    makes: ["c f 644 0:0", "d d 755 0:0", "m f 644 0:0", "ok f 644 0:0 user.ok=1", "r f 644 0:0", "w f 644 0:0"],
    notes: [
      /user\.overlay\.redirect/,
      /trusted\.overlay\.metacopy/,
      /user\.overlay\.metacopy/,
      /fuseoverlayfs/,
      /containers/,
    ],
  },
  {
    name: "opaque directories in overlayfs' own attributes, on directories only",
    members: [
      { ...directory("d/"), pax: overlay("trusted.overlay.opaque", "y") },
      { ...directory("e/"), pax: overlay("user.overlay.opaque", "x") },
      { name: "f", pax: overlay("user.overlay.opaque", "y") },
    ],
    options: { upper: true },
    makes: ["d d 755 0:0 opaque", "e d 755 0:0", "f f 644 0:0"],
  },
  {
    name: "an attribute whose name hides behind NUL",
    members: [{ name: "a", pax: overlay("user.ok\0", "1") }],
    makes: ["a f 644 0:0"],
    notes: [/user\.ok/],
  },
  {
    name: "a name that Linux has no attribute for, and one longer than it takes",
    members: [{ name: "a", pax: { ...overlay("evil", "1"), ...overlay(`user.${"n".repeat(300)}`, "1") } }],
    makes: ["a f 644 0:0"],
    notes: [/"evil"/, /ERANGE/],
  },
  {
    name: "file capabilities that are none",
    members: [{ name: "a", pax: overlay("security.capability", "short") }],
    makes: ["a f 644 0:0"],
    notes: [/security\.capability.*EINVAL/],
  },
  {
    name: "ids that are not mapped",
    members: [{ name: "f", pax: { uid: "4000000000" } }],
    refused: ["ID_NOT_GRANTED", /4000000000:0: the ids are not mapped/],
  },
  {
    name: "ids beyond 32 bits (CVE-2024-40635 class)",
    members: [{ name: "f", pax: { uid: "4294967296" } }],
    refused: invalid(/not a user or group id/),
  },
  { name: "a negative id", members: [{ name: "f", pax: { gid: "-1" } }], refused: invalid(/not a user or group id/) },
];

const limit = (name: string, value: number): readonly [string, RegExp] =>
  invalid(new RegExp(`exceeds the limit ${name}=${value}$`));
const zeros = Buffer.alloc(1024 * 1024);

const BOMBS: readonly Case[] = [
  {
    name: "many entries",
    members: Array.from({ length: 20 }, (_, index) => file(`f${index}`)),
    options: { limits: { entries: 10 } },
    refused: limit("entries", 10),
  },
  {
    name: "many entries by parents that nobody listed",
    members: [file("a/b/c/d/e/f/g/h/i/j/k")],
    options: { limits: { entries: 10 } },
    refused: limit("entries", 10),
  },
  {
    name: "one name again and again",
    members: Array.from({ length: 20 }, () => file("f")),
    options: { limits: { entries: 10 } },
    refused: limit("entries", 10),
  },
  {
    name: "deep directories (CVE-2024-28863)",
    members: [file("a/b/c/d/e")],
    options: { limits: { depth: 3 } },
    refused: limit("depth", 3),
  },
  {
    name: "a large file",
    members: [file("f", "x".repeat(5000))],
    options: { limits: { bytes: 1000 } },
    refused: limit("bytes", 1000),
  },
  {
    name: "many small files",
    members: Array.from({ length: 20 }, (_, index) => file(`f${index}`, "x".repeat(100))),
    options: { limits: { bytes: 1000 } },
    refused: limit("bytes", 1000),
  },
  {
    name: "a sparse file of holes counts in full",
    members: [{ name: "f", pax: { "GNU.sparse.size": "1000000000000000", "GNU.sparse.map": "" } }],
    refused: limit("bytes", 256 * 1024 ** 3),
  },
  {
    name: "a size that is only promised is refused before a byte is written",
    members: member({ name: "f", patch: (block) => block.write("77777777777", 124) }),
    options: { limits: { bytes: 1000 } },
    refused: limit("bytes", 1000),
  },
  {
    name: "compression beyond the ratio (CVE-2017-14992)",
    members: gzipSync(tar([{ name: "zeros", data: Buffer.alloc(260 * 1024 * 1024) }])),
    options: { limits: { ratio: 100 } },
    refused: limit("ratio", 100),
  },
  {
    name: "a name of 64 KiB",
    members: [{ name: "x", pax: { path: "a/".repeat(32_768) } }],
    refused: invalid(/65536 bytes long/),
  },
  {
    name: "a name of 64 KiB in GNU's form",
    members: [{ name: "././@LongLink", type: "L", data: "a".repeat(65_536) }, file("x")],
    refused: invalid(/65536 bytes long/),
  },
  {
    name: "a part of a name that is too long",
    members: [{ name: "x", pax: { path: "a".repeat(300) } }],
    refused: invalid(/a part of 300 bytes/),
  },
  {
    name: "a symlink target of 64 KiB",
    members: [{ ...symlink("s", "x"), pax: { linkpath: "a".repeat(65_536) } }],
    refused: invalid(/ENAMETOOLONG/),
  },
  {
    name: "an extended header that fills the memory (CVE-2022-2879)",
    members: member({ name: "x", type: "x", size: 1024 ** 3 }),
    refused: invalid(/extended header of 1073741824 bytes/),
  },
  {
    name: "a sparse map that fills the memory (CVE-2025-58183)",
    members: [
      {
        name: "f",
        data: Buffer.from("9999999\n".padEnd(512, "\0")),
        pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "10" },
      },
    ],
    refused: invalid(/it has 9999999 segments/),
  },
  {
    name: "a sparse file without an end (CVE-2018-20482)",
    members: [
      {
        name: "f",
        data: "1\n0\n9\n".padEnd(512, "\0"),
        pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "10" },
      },
    ],
    refused: invalid(/less data is stored than it lists/),
  },
];

const records = (entries: Readonly<Record<string, string>>): Buffer =>
  member({ name: "PaxHeaders/x", type: "x", data: encodePaxRecords(new Map(Object.entries(entries))) });

const SMUGGLING: readonly Case[] = [
  {
    name: "a broken checksum",
    members: [{ name: "a", brokenChecksum: true }],
    refused: invalid(/Invalid tar header: its checksum is wrong/),
  },
  { name: "random bytes", members: Buffer.alloc(1024, 7), refused: invalid(/Invalid tar header/) },
  { name: "a header that is cut off", members: tar([file("a")]).subarray(0, 200), refused: invalid(/Unexpected end/) },
  {
    name: "a file that is cut off",
    members: tar([{ name: "a", data: zeros }]).subarray(0, 4096),
    refused: invalid(/Unexpected end/),
  },
  {
    name: "an inner archive where the header's size differs from PAX's (CVE-2025-62518)",
    members: tar([
      { name: "outer", data: member(file("inner")), size: 0, pax: { size: String(member(file("inner")).length) } },
    ]),
    makes: ["outer f 644 0:0 inner"],
  },
  {
    name: "two PAX headers with two sizes",
    members: Buffer.concat([records({ size: "512" }), records({ size: "0" }), tar([file("a")])]),
    refused: invalid(/two extended headers of one kind/),
  },
  {
    name: "a size that is no number",
    members: [{ name: "a", pax: { size: "0x10" } }],
    refused: invalid(/"0x10" is not a size/),
  },
  {
    name: "a directory with data, which readers skip or parse (CVE-2025-62518)",
    members: Buffer.concat([member({ name: "d", type: "5", size: 512 }), tar([file("x")])]),
    refused: invalid(/claims 512 bytes/),
  },
  {
    name: "a hard link with data",
    members: [file("a"), { ...hardLink("h", "a"), data: "hidden" }],
    refused: invalid(/claims 6 bytes/),
  },
  {
    name: "entries behind a single zero block",
    members: Buffer.concat([member(file("a")), Buffer.alloc(512), tar([file("b")])]),
    refused: invalid(/single zero block/),
  },
  {
    name: "entries behind the end",
    members: Buffer.concat([tar([file("a")]), tar([file("hidden")])]),
    makes: ["a f 644 0:0 evil"],
  },
  {
    name: "a global header with a path",
    members: [{ name: "g", type: "g", data: encodePaxRecords(new Map([["path", "evil"]])) }, file("a")],
    makes: ["a f 644 0:0 evil"],
  },
  {
    name: "a PAX path beside GNU's",
    members: Buffer.concat([
      records({ path: "a" }),
      tar([{ name: "././@LongLink", type: "L", data: "b\0" }, file("c")]),
    ]),
    refused: invalid(/give two names/),
  },
  {
    name: "an entry type nobody knows",
    members: [{ name: "a", type: "Z" }],
    refused: invalid(/type that is not supported: "Z"/),
  },
  {
    name: "a damaged gzip stream",
    members: gzipSync(tar([file("a")])).fill(0xff, 20, 30),
    refused: invalid(/Cannot decompress/),
  },
  {
    name: "a gzip stream that is cut off",
    members: gzipSync(tar([file("a")])).subarray(0, 40),
    refused: invalid(/Cannot decompress/),
  },
  {
    name: "a layer that is not what its diff id says (CVE-2014-8178)",
    members: [file("a")],
    options: { diffId: makeDigest("sha256", "0".repeat(64)) },
    refused: ["DIGEST_MISMATCH", /expected "sha256:0{64}"/],
  },
];

/** The files of a layer as `Case.makes` tells them. */
async function contents(root: string): Promise<readonly string[]> {
  const script = `cd "$1" && find . -mindepth 1 -printf '%P\\t%y\\t%m\\t%U:%G\\t%l\\n' | sort | while IFS="	" read -r path type mode owner target; do
    attributes=$(getfattr -dh -m '^user' --absolute-names "$path" 2>/dev/null | sed -n 's/"//g;/=/p' | sed 's/user.overlay.opaque=y/opaque/')
    content=; [ "$type" = f ] && content=$(head -c 20 "$path" | tr -d '\\0')
    [ \${#content} -lt 20 ] || content=…
    echo $path $type $mode $owner $target $content $attributes
  done`;
  const text = await asNamespaceRoot("sh", "-c", script, "sh", root);
  return text.split("\n").filter((line) => line !== "");
}

for (const { name, members, options, refused, makes, notes } of [
  ...ESCAPES,
  ...TYPE_CHANGES,
  ...WHITEOUTS,
  ...NODES_AND_ATTRIBUTES,
  ...BOMBS,
  ...SMUGGLING,
]) {
  attack(`${name}: ${refused === undefined ? "stays inside" : refused[0]}`, async () => {
    const before = snapshot(outside);
    const place = newDirectory();
    const layer = makeOwned(join(place, "diff"));
    const beside = snapshot(place, ["diff"]);
    const archive = members instanceof Uint8Array ? members : tar(members);
    const { report, failure } = await unpack(archive, { ...options, directory: layer });
    assert.deepEqual(snapshot(outside), before);
    assert.deepEqual(snapshot(place, ["diff"]), beside);
    if (refused !== undefined) {
      assert.equal(failure?.code, refused[0], JSON.stringify(failure));
      assert.match(failure.message, refused[1]);
      return;
    }
    assert.equal(failure, null);
    assert.deepEqual(await contents(layer), makes);
    assert.equal(report?.notes.length, notes?.length ?? report?.notes.length, String(report?.notes));
    for (const [index, words] of (notes ?? []).entries()) assert.match(report?.notes[index] ?? "", words);
  });
}

attack("a symlink to a neighbour whose path begins like the layer's (CVE-2025-59343): INVALID_LAYER", async () => {
  const place = newDirectory();
  const layer = makeOwned(join(place, "diff"));
  const neighbour = makeOwned(join(place, "diff-neighbour"));
  const { failure } = await unpack(tar([symlink("out", neighbour), file("out/victim")]), { directory: layer });
  assert.equal(failure?.code, "INVALID_LAYER");
  assert.match(failure.message, /no directory/);
  assert.deepEqual(readdirSync(neighbour), []);
});

let count = 0;

async function importArchive(archive: Uint8Array, ...args: readonly string[]): ReturnType<typeof pycri> {
  const path = join(scratch, `evil-${count++}.tar`);
  writeFileSync(path, archive);
  chownSync(path, caller.uid, caller.gid);
  return pycri(["import", ...args, path]);
}

const store = join(home, ".local/share/pycri");

attack("the command line names the entry, keeps nothing of it, and a limit can be raised", async () => {
  const { status, stderr } = await importArchive(tar([file("../x")]));
  assert.equal(status, 125);
  assert.match(stderr, /^pycri: cannot unpack "\.\.\/x": the name has "\.\."$/m);
  for (const area of ["layers", "staging", "ingest"]) assert.deepEqual(readdirSync(join(store, area)), []);
  const many = tar(Array.from({ length: 20 }, (_, index) => file(`f${index}`)));
  const bounded = await importArchive(many, "--unpack-limit", "entries=10");
  assert.equal(bounded.status, 125);
  assert.match(bounded.stderr, /hint: .*--unpack-limit entries=NUMBER/);
  assert.equal((await importArchive(many, "--unpack-limit", "entries=20")).status, 0);
});

attack("a name with control characters does not reach the terminal", async () => {
  const { status, stderr } = await importArchive(tar([{ name: "x\u001b[2J/../y" }]));
  assert.equal(status, 125);
  assert.ok(!stderr.includes("\u001b"), JSON.stringify(stderr));
});

attack("the files of a layer belong to subordinate ids, set-id ones too", async () => {
  const { status, stdout } = await importArchive(tar([{ name: "su", mode: 0o4755, uid: 7, gid: 8, data: "x" }]));
  assert.equal(status, 0);
  const inspected = await pycri([
    "image",
    "inspect",
    "--format",
    "{{index .GraphDriver.Data.LowerDirs 0}}",
    stdout.trim(),
  ]);
  assert.equal(await asNamespaceRoot("stat", "-c", "%a %u:%g", join(inspected.stdout.trim(), "su")), "4755 7:8\n");
  assert.equal(readFileSync(join(outside, "victim"), "utf8"), "untouched\n");
});
