/**
 * Fuzzes what reads bytes of strangers: the tar reader over damaged archives that GNU tar has made, the parsers of manifests,
 * configurations, references and registry headers over damaged documents, and the whole unpacker, in its namespace, over
 * archives of hostile entries. Only typed errors may come out, the same ones however the bytes are cut into chunks, and
 * nothing outside of a layer may change. Runs for `FUZZ_SECONDS` (30), a third for each; `FUZZ_SEED` repeats a run.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { RuntimeError } from "../../src/errors.ts";
import { LeadingMap } from "../../src/image/layer/sparse-map.ts";
import { type TarEntry, readTar } from "../../src/image/layer/tar-reader.ts";
import { parseChallenges } from "../../src/image/registry/auth-challenge.ts";
import { parseRegistriesConfig } from "../../src/image/registry/registries-config.ts";
import { MEDIA_TYPE } from "../../src/oci/descriptor.ts";
import { parseImageConfig } from "../../src/oci/image-config.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { caller } from "../support/caller.ts";
import { makeImage, makeIndex } from "../support/made-image.ts";
import { makeOwned, scratch } from "../support/scratch.ts";
import { type Member, tar } from "../support/tar.ts";
import { snapshot, unpack } from "../support/unpack.ts";

const seconds = Number(process.env["FUZZ_SECONDS"] ?? "30") / 3;
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);

/** Numbers below `bound`, the same for the same seed (xorshift32). */
let state = seed * 2 + 1;
function random(bound: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % bound;
}

/** A copy with a few bytes changed, blocks swapped, doubled, cut out or cut off. */
function damage(bytes: Buffer, block: number): Buffer {
  let damaged = Buffer.from(bytes);
  for (let count = 1 + random(4); count > 0; count--) {
    const blocks = Math.ceil(damaged.length / block);
    const [at, other] = [random(blocks) * block, random(blocks) * block];
    const part = damaged.subarray(at, at + block);
    switch (random(6)) {
      case 0:
        damaged = damaged.subarray(0, random(damaged.length + 1));
        break;
      case 1:
        damaged = Buffer.concat([damaged.subarray(0, other), part, damaged.subarray(other)]);
        break;
      case 2:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + block)]);
        break;
      default:
        for (let index = 1 + random(8); index > 0 && part.length > 0; index--) part[random(part.length)] = random(256);
    }
    if (damaged.length === 0) return damaged;
  }
  return damaged;
}

/** Write the right checksum into what may be headers, so that damage behind it is reached. */
function mendChecksums(archive: Buffer): Buffer {
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    const header = archive.subarray(at, at + 512);
    if (!header.toString("latin1", 257, 262).startsWith("ustar")) continue;
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return archive;
}

/** What `work` gives, or the code and message of its RuntimeError; any other error is a find. */
async function typed<Result>(codes: readonly string[], work: () => Result | Promise<Result>): Promise<Result | string> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RuntimeError && codes.includes(error.code)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

async function read(archive: Buffer, chunkBytes: number): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < archive.length; at += chunkBytes) yield archive.subarray(at, at + chunkBytes);
  };
  await readTar(chunks(), (entry: TarEntry) => {
    let size = 0;
    let map = entry.sparse?.segments === null ? new LeadingMap(entry.sparse.size) : null;
    return {
      write: (chunk) => {
        size += chunk.length;
        if (map?.read(chunk) != null) map = null;
      },
      end: () => {
        assert.equal(size, entry.size);
        seen.push([entry.name, entry.type, size, entry.uid, entry.mtime, entry.linkName]);
      },
    };
  });
  return seen;
}

function honestArchives(): readonly Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), "pycri-fuzz-"));
  try {
    const script = `mkdir -p d/e; echo x >d/f; ln d/f d/h; ln -s f d/l; mkfifo d/p; truncate -s 64K d/s; echo middle | dd of=d/s bs=1 seek=30000 conv=notrunc status=none
      for i in $(seq 30); do echo piece | dd of=d/t bs=1 seek=$((i * 8192)) conv=notrunc status=none; done
      echo long >"d/$(printf 'n%.0s' $(seq 200))"; touch -d @1.5 d/f; setfattr -n user.a -v b d/f 2>/dev/null || :`;
    execFileSync("sh", ["-euc", script], { cwd: folder });
    return [
      ["--format=gnu"],
      ["--format=gnu", "-S"],
      ["--format=posix", "--xattrs"],
      ...["0.0", "0.1", "1.0"].map((version) => ["--format=posix", "-S", `--sparse-version=${version}`]),
    ].map((format) => execFileSync("tar", ["-C", folder, ...format, "-cf", "-", "d"], { maxBuffer: 1 << 28 }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fuzzTarReader(): Promise<void> {
  const archives = honestArchives();
  for (const archive of archives) assert.ok((await read(archive, 1 << 16)).length > 5);
  await forSeconds("tar reader", async () => {
    const archive = archives[random(archives.length)] ?? Buffer.alloc(0);
    const damaged = damage(archive, 512);
    if (random(2) === 0) mendChecksums(damaged);
    const whole = await typed(["INVALID_LAYER"], () => read(damaged, 1 << 20));
    const cut = await typed(["INVALID_LAYER"], () => read(damaged, 1 + random(2000)));
    assert.deepEqual(cut, whole);
    return typeof whole === "string";
  });
}

async function fuzzDocuments(): Promise<void> {
  const image = makeImage({
    layers: [tar([{ name: "a" }])],
    config: {
      Env: ["A=b"],
      Cmd: ["x"],
      Volumes: { "/v": {} },
      Labels: { a: "b" },
      Healthcheck: { Test: ["CMD", "x"] },
    },
  });
  const index = makeIndex([["linux/arm64/v8", image]]);
  const config = image.blobs.get(image.config.digest) ?? Buffer.alloc(0);
  const types = ["", ...Object.values(MEDIA_TYPE)];
  const toml = Buffer.from(
    'unqualified-search-registries = ["a"]\n[[registry]]\nprefix="*.b"\nlocation="c/d"\n[[registry.mirror]]\nlocation="e"\n',
  );
  const challenge = Buffer.from(
    'Bearer realm="https://a/token",service="b", Basic realm=x, Digest a=b==, Token68 abc==',
  );
  const text = (bytes: Buffer): string => damage(bytes, 8).toString("latin1");
  const parsers: readonly (() => Promise<unknown>)[] = [
    () =>
      typed(["INVALID_DOCUMENT"], () => parseManifest(damage(image.bytes, 8), types[random(types.length)] ?? "", "x")),
    () =>
      typed(["INVALID_DOCUMENT"], () => parseManifest(damage(index.bytes, 8), types[random(types.length)] ?? "", "x")),
    () => typed(["INVALID_DOCUMENT"], () => parseImageConfig(damage(config, 8), "x")),
    () => typed(["INVALID_DOCUMENT"], () => parseRegistriesConfig([{ path: "x", text: text(toml) }])),
    () => typed(["INVALID_ARGUMENT"], () => parseReference(text(Buffer.from(`a.b:1/c/d-e__f:tag@${image.digest}`)))),
    () => typed(["INVALID_ARGUMENT"], () => parsePlatform(text(Buffer.from("linux/arm64/v8")))),
    () => typed([], () => parseChallenges(text(challenge))),
  ];
  await forSeconds("documents", async () => typeof (await parsers[random(parsers.length)]?.()) === "string");
}

/** Entries that mean something to each other: few names, links between them, and to the outside. */
function hostileMember(outside: string): fc.Arbitrary<Member> {
  const part = fc.constantFrom("a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..", "..", ".", "");
  const path = fc.oneof(
    { weight: 2, arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")) },
    {
      weight: 20,
      arbitrary: fc.constantFrom("a", "b", "c", "a/b", "a/b/c", "b/a", "c/victim", "a/.wh.b", "b/.wh..wh..opq"),
    },
    { weight: 1, arbitrary: fc.constantFrom(`${outside}/victim`, `${"../".repeat(20)}${outside}/victim`, "/", ".") },
  );
  const target = fc.oneof(
    path,
    fc.constantFrom(outside, `${outside}/victim`, "/", "..", "../..", "/proc/self/root", "/etc"),
  );
  const attributes = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    {},
    {},
    { "SCHILY.xattr.trusted.overlay.opaque": "y" },
    { "SCHILY.xattr.user.overlay.redirect": "/a" },
    { "SCHILY.xattr.security.capability": "\x01\0\0\x03".padEnd(24, "\0") },
    { mtime: "-1.5" },
  );
  return fc
    .record({
      name: path,
      type: fc.constantFrom("0", "0", "0", "1", "2", "2", "3", "4", "5", "5", "5", "6"),
      linkName: target,
      mode: fc.constantFrom(0, 0o644, 0o777, 0o4755, 0o1777),
      uid: fc.constantFrom(0, 0, 0, 0, 0, 33, 33, 65_535, 70_000),
      major: fc.constantFrom(0, 1),
      pax: attributes,
      data: fc.constantFrom("", "evil\n"),
    })
    .map(({ data, ...member }) => ({ ...member, data: member.type === "0" ? data : "" }));
}

async function fuzzUnpacker(): Promise<void> {
  const outside = makeOwned(join(scratch, "outside"));
  writeFileSync(join(outside, "victim"), "untouched\n");
  chownSync(join(outside, "victim"), caller.uid, caller.gid);
  const before = snapshot(outside);
  const archives = fc.sample(fc.array(hostileMember(outside), { minLength: 2, maxLength: 8 }), {
    numRuns: 20_000,
    seed,
  });
  await forSeconds("unpacker", async () => {
    const members = archives.pop() ?? [];
    const options = { upper: random(2) === 0, single: random(8) === 0 };
    const { failure } = await unpack(tar(members), options);
    assert.deepEqual(snapshot(outside), before, JSON.stringify(members));
    if (failure === null) return false;
    const code = failure.code === "ID_NOT_GRANTED" ? "INVALID_LAYER" : failure.code;
    assert.equal(code, "INVALID_LAYER", `${failure.message}: ${JSON.stringify({ members, options })}`);
    return true;
  });
}

/** Repeat for the time; tell how many were refused, for a fuzzer that nothing refuses, or all, tests little. */
async function forSeconds(name: string, once: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  let refused = 0;
  while (performance.now() < end) {
    runs++;
    if (await once()) refused++;
  }
  process.stdout.write(`${name}: ${runs} inputs, ${refused} refused\n`);
  assert.ok(runs > 0 && refused > 0 && refused < runs, "the inputs are neither all refused nor all accepted");
}

process.stdout.write(`FUZZ_SEED=${seed}\n`);
await fuzzTarReader();
await fuzzDocuments();
await fuzzUnpacker();
