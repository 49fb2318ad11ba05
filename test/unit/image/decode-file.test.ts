/** Blobs decoded by the C libraries are what Node's zlib and zstd(1) make of them, and damage is an error everywhere. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { decompress, detectCompression } from "../../../src/image/layer/decompress.ts";
import { openFileDecoder } from "../../../src/image/layer/decode-file.ts";

const folder = mkdtempSync(join(tmpdir(), "pycri-decode-"));
after(() => rmSync(folder, { recursive: true }));

const hasZstd = process.env["PATH"]?.split(":").some((place) => canRun(join(place, "zstd"))) ?? false;
const noZstd = hasZstd ? false : "zstd is not installed";

function canRun(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const zstd = (bytes: Uint8Array, ...args: readonly string[]): Buffer =>
  execFileSync("zstd", ["-qc", ...args], { input: bytes, maxBuffer: 1 << 28 });

/** What comes out, copied chunk by chunk: they share their memory. */
function decode(blob: Uint8Array): Buffer {
  const path = join(folder, "blob");
  writeFileSync(path, blob);
  using decoder = openFileDecoder(openSync(path, "r"), detectCompression(blob));
  assert.ok(decoder !== null, "this Node offers zlib, and the system libzstd");
  const chunks: Buffer[] = [];
  for (const chunk of decoder.chunks()) chunks.push(Buffer.from(chunk));
  assert.equal(decoder.bytesRead, blob.byteLength);
  return Buffer.concat(chunks);
}

/** As many bytes, the same each time, that can be packed by a third or so. */
function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0, block = 0; at < size; block++) {
    const noise = createHash("sha512").update(`${block}`).digest();
    noise.copy(bytes, at);
    at += 96;
  }
  return bytes;
}

/** A buffer's worth, one byte less and more, several of them. */
const SIZES = [1, 262_143, 262_144, 262_145, 524_288, 3_000_001];
const DAMAGED = { code: "INVALID_LAYER", message: /^Cannot decompress the layer: / };
const CUT_OFF = { code: "INVALID_LAYER", message: "Cannot decompress the layer: unexpected end of file" };

for (const [name, pack, skip] of [
  ["plain", (bytes: Buffer) => bytes, false],
  ["gzip", (bytes: Buffer) => gzipSync(bytes), false],
  ["zstd", (bytes: Buffer) => zstd(bytes), noZstd],
] as const) {
  test(`${name}: what was packed comes back, whatever its size`, { skip }, () => {
    for (const size of SIZES) assert.ok(decode(pack(sample(size))).equals(sample(size)), `${size} bytes`);
  });
  if (name === "plain") continue;

  test(`${name}: zeros that pack to almost nothing come back`, { skip }, () => {
    const zeros = Buffer.alloc(5_000_000);
    assert.ok(decode(pack(zeros)).equals(zeros));
  });

  test(`${name}: several members follow each other`, { skip }, () => {
    const parts = [sample(300_000), Buffer.alloc(0), sample(262_144), sample(7)];
    assert.ok(decode(Buffer.concat(parts.map(pack))).equals(Buffer.concat(parts)));
  });

  test(`${name}: cut off anywhere, it is an error`, { skip }, () => {
    const whole = pack(sample(1000));
    for (let length = 4; length < whole.length; length++) {
      assert.throws(() => decode(whole.subarray(0, length)), CUT_OFF, `${length} bytes`);
    }
  });

  test(`${name}: a flipped byte is an error`, { skip }, () => {
    // A checksum over the contents; zstd's frame header has bits that say nothing.
    const whole = pack(sample(1000));
    for (let at = 12; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      assert.throws(() => decode(damaged), DAMAGED, `byte ${at}`);
    }
  });

  test(`${name}: what follows and is no member is an error`, { skip }, () => {
    assert.throws(() => decode(Buffer.concat([pack(sample(10)), Buffer.from("anything else")])), DAMAGED);
  });
}

test("gzip: zeros behind the end are padding, as Node's zlib sees it", () => {
  const padded = Buffer.concat([gzipSync(sample(1000)), Buffer.alloc(200_000)]);
  assert.ok(decode(padded).equals(gunzipSync(padded)));
});

test("zstd: a window of 128 MiB is the largest that is decoded", { skip: noZstd }, () => {
  const bytes = sample(100_000);
  // A frame whose size is not known beforehand states the window itself.
  assert.ok(decode(zstd(bytes, "--long=27")).equals(bytes));
  assert.throws(() => decode(zstd(bytes, "--long=28")), DAMAGED);
});

test("zstd: the ways without libzstd give the same", { skip: noZstd }, async () => {
  const bytes = sample(3_000_001);
  for (const program of [execFileSync("sh", ["-c", "command -v zstd"], { encoding: "utf8" }).trim(), null]) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of decompress(Readable.from([zstd(bytes)]), "zstd", program)) chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(bytes), `with ${program ?? "fzstd"}`);
  }
});
