/** The cache of compiled filters: what was written is read back, and nothing else ever is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CACHED_FILTERS, filterKey, readCachedFilter, writeCachedFilter } from "../../../src/store/filter-cache.ts";

const scratch = mkdtempSync(join(tmpdir(), "pycri-filters-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const uid = process.getuid?.() ?? 0;
const PROGRAM = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f, 6, 0, 0, 0, 1, 0, 5, 0]);
const KEY = filterKey(["a"]);

let directories = 0;

/** A directory with one entry. */
function filled(): { readonly directory: string; readonly entry: string } {
  const directory = join(scratch, String((directories += 1)), "filters");
  writeCachedFilter(directory, uid, KEY, PROGRAM);
  return { directory, entry: `${directory}/${KEY}` };
}

const read = (directory: string, key = KEY): Uint8Array | null => {
  const found = readCachedFilter(directory, uid, key);
  return found === null ? null : Uint8Array.from(found);
};

describe("an entry", () => {
  test("is read back, and is the caller's alone", () => {
    const { directory, entry } = filled();
    assert.deepEqual(read(directory), PROGRAM);
    assert.equal(statSync(entry).mode & 0o777, 0o600);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(directory), [KEY]);
  });

  test("is not found under another name, even when the file is moved there", () => {
    const { directory, entry } = filled();
    const other = filterKey(["b"]);
    assert.equal(read(directory, other), null);
    copyFileSync(entry, `${directory}/${other}`);
    assert.equal(read(directory, other), null);
    assert.deepEqual(read(directory), PROGRAM);
  });

  test("with any bit turned is absent", () => {
    const { directory, entry } = filled();
    const good = readFileSync(entry);
    for (const [at] of good.entries()) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      writeFileSync(entry, bad);
      assert.equal(read(directory), null, `byte ${at}`);
    }
    writeFileSync(entry, good);
    assert.deepEqual(read(directory), PROGRAM, "control");
  });

  test("cut or lengthened is absent", () => {
    const { directory, entry } = filled();
    const good = readFileSync(entry);
    for (let length = 0; length < good.length; length++) {
      writeFileSync(entry, good.subarray(0, length));
      assert.equal(read(directory), null, `${length} bytes`);
    }
    writeFileSync(entry, Buffer.concat([good, Buffer.alloc(8)]));
    assert.equal(read(directory), null);
    writeFileSync(entry, Buffer.alloc(1 << 20));
    assert.equal(read(directory), null);
  });

  test("of another user, or one that others can write, is absent", () => {
    const { directory, entry } = filled();
    assert.equal(readCachedFilter(directory, uid + 1, KEY), null);
    for (const mode of [0o620, 0o602]) {
      chmodSync(entry, mode);
      assert.equal(read(directory), null, mode.toString(8));
    }
    chmodSync(entry, 0o644);
    assert.deepEqual(read(directory), PROGRAM, "control: others may read");
  });

  test("that is a link, a FIFO or a directory is absent", () => {
    const { directory, entry } = filled();
    renameSync(entry, `${directory}/real`);
    symlinkSync("real", entry);
    assert.equal(read(directory), null);
    rmSync(entry);
    execFileSync("mkfifo", [entry]);
    assert.equal(read(directory), null);
    rmSync(entry);
    mkdirSync(entry);
    assert.equal(read(directory), null);
  });

  test("in a directory that others can write, or behind a link, is neither read nor written", () => {
    const { directory, entry } = filled();
    for (const mode of [0o720, 0o702]) {
      chmodSync(directory, mode);
      assert.equal(read(directory), null, mode.toString(8));
    }
    rmSync(entry);
    writeCachedFilter(directory, uid, KEY, PROGRAM);
    assert.deepEqual(readdirSync(directory), []);
    chmodSync(directory, 0o700);
    writeCachedFilter(directory, uid, KEY, PROGRAM);
    assert.deepEqual(read(directory), PROGRAM, "control");
    symlinkSync(directory, `${directory}.link`);
    assert.equal(read(`${directory}.link`), null);
  });
});

describe("writing", () => {
  test("fails in silence where nothing can be written", () => {
    const file = join(scratch, "file");
    writeFileSync(file, "");
    writeCachedFilter(`${file}/filters`, uid, KEY, PROGRAM);
    assert.equal(read(`${file}/filters`), null);
  });

  test("replaces a damaged entry, and what a killed start left under its name", () => {
    const { directory, entry } = filled();
    writeFileSync(entry, "damaged");
    writeFileSync(`${entry}.${process.pid}`, "unfinished");
    writeCachedFilter(directory, uid, KEY, PROGRAM);
    assert.deepEqual(read(directory), PROGRAM);
    assert.deepEqual(readdirSync(directory), [KEY]);
  });

  test("keeps so many entries and drops the oldest", () => {
    const { directory, entry } = filled();
    utimesSync(entry, 1, 1);
    for (let index = 1; index < CACHED_FILTERS; index++) {
      const path = `${directory}/${filterKey([String(index)])}`;
      writeFileSync(path, "");
      utimesSync(path, 1 + index, 1 + index);
    }
    assert.deepEqual(read(directory), PROGRAM);
    const newest = filterKey(["newest"]);
    writeCachedFilter(directory, uid, newest, PROGRAM);
    assert.equal(readdirSync(directory).length, CACHED_FILTERS);
    assert.equal(read(directory), null);
    assert.deepEqual(read(directory, newest), PROGRAM);
  });
});

test("the key tells the parts and their boundaries apart", () => {
  const keys = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["c", "ab"], ["ab", "d"]].map(filterKey);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(filterKey(["ab", "c"]), keys[0]);
  for (const key of keys) assert.match(key, /^[0-9a-f]{64}$/);
});
