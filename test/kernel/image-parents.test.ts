/**
 * Directories that an upper layer goes through without listing them: they are what the layers below say, as in a tree into
 * which one layer is unpacked after the other. The control is in the expectations: what is hidden from below starts as root's, 0755.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { readAttribute } from "../../src/sys/extended-attributes.ts";
import { writeImageArchive } from "../support/image-archive.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { pycri } from "../support/run.ts";
import { home, makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const TIME = 1_600_000_000;

before(async () => {
  const archive = join(makeOwned(join(scratch, "parents")), "image.tar");
  const second = tar([
    { name: "./", type: "5", mode: 0o751, uid: 3, gid: 4, mtime: TIME },
    { name: "tmp/", type: "5", mode: 0o1777, mtime: TIME },
    { name: "srv/", type: "5", mode: 0o2750, uid: 33, gid: 44, mtime: TIME, pax: { "SCHILY.xattr.user.note": "text" } },
    { name: "srv/deep/", type: "5", mode: 0o700, uid: 7, gid: 8, mtime: TIME },
    { name: "gone/", type: "5", mode: 0o700, uid: 9, gid: 9, mtime: TIME },
    { name: "cleared/", type: "5", mode: 0o710, uid: 9, gid: 9, mtime: TIME },
    { name: "cleared/in/", type: "5", mode: 0o711, uid: 9, gid: 9, mtime: TIME },
    { name: "file", data: "a file\n" },
  ]);
  const third = tar([
    { name: "tmp/new", data: "new\n" },
    { name: "srv/deep/new", data: "new\n" },
    { name: ".wh.gone" },
    { name: ".wh.file" },
  ]);
  const fourth = tar([
    { name: "gone/again/new", data: "new\n" },
    { name: "file/new", data: "new\n" },
    { name: "cleared/.wh..wh..opq" },
    { name: "cleared/in/new", data: "new\n" },
    { name: "srv/other", data: "other\n" },
  ]);
  const layers = [busyboxLayer(), second, third, fourth];
  writeImageArchive(archive, [{ name: "docker.io/library/parents:latest", layers, config: {} }]);
  const { status, stderr } = await pycri(["load", "-i", archive]);
  assert.equal(status, 0, stderr);
});

const DIRECTORIES = ["/", "/tmp", "/srv", "/srv/deep", "/cleared"];
const NEW = ["/gone", "/gone/again", "/file", "/cleared/in"];

const stat = async (format: string, paths: readonly string[], ...flags: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(["run", ...flags, "parents", "stat", "-c", format, ...paths]);
  assert.equal(status, 0, stderr);
  return stdout;
};

kernelTest("a directory that a layer does not list keeps owner, mode and time", async () => {
  const expected = ["/tmp 0:0 1777", "/srv 33:44 2750", "/srv/deep 7:8 700", "/cleared 9:9 710"];
  const below = DIRECTORIES.slice(1);
  assert.equal(await stat("%n %u:%g %a %Y", below), expected.map((line) => `${line} ${TIME}\n`).join(""));
  // Mount points have just been made in the root.
  assert.equal(await stat("%n %u:%g %a", ["/"]), "/ 3:4 751\n");
});

kernelTest("and its extended attributes", () => {
  const layers = join(home, ".local/share/pycri/layers");
  const notes = readdirSync(layers).flatMap((name) => {
    const directory = join(layers, name, "diff/srv");
    const value = existsSync(directory) ? readAttribute(directory, "user.note") : null;
    return value === null ? [] : [Buffer.from(value).toString()];
  });
  assert.deepEqual(notes, ["text", "text", "text"]);
});

kernelTest("what a whiteout, a file or an opaque directory hides is not kept", async () => {
  assert.equal(await stat("%n %u:%g %a", NEW), NEW.map((path) => `${path} 0:0 755\n`).join(""));
});

kernelTest("one id: the owners are recorded for each layer that has the directory", async () => {
  assert.equal(await stat("%n %u:%g %a", DIRECTORIES.slice(0, 2), "--userns=single"), "/ 0:0 751\n/tmp 0:0 1777\n");
  const layers = join(home, ".local/share/pycri/layers");
  const recorded = readdirSync(layers).flatMap((name) => {
    const record = JSON.parse(readFileSync(join(layers, name, "layer.json"), "utf8")) as {
      readonly recordedOwners: readonly { readonly path: string; readonly uid: number; readonly gid: number }[];
    };
    return record.recordedOwners.filter(({ path }) => path === "/srv");
  });
  assert.deepEqual(
    recorded,
    Array.from({ length: 3 }, () => ({ path: "/srv", uid: 33, gid: 44 })),
  );
});
