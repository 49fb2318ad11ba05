/** A small image made by umoci: busybox, a user, and a second layer that deletes and adds. */

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tar } from "./tar.ts";

/** @returns the path of an OCI layout with the image tagged `v1`. */
export function makeTestImage(): string {
  const folder = mkdtempSync(join(tmpdir(), "pycri-image-"));
  chmodSync(folder, 0o755);
  const root = join(folder, "root");
  for (const path of ["bin", "etc", "tmp", "data"]) mkdirSync(join(root, path), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const name of ["sh", "ls", "cat", "id", "stat", "rm", "env", "pwd", "echo"])
    symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\napp:x:1000:\n");
  writeFileSync(join(root, "data/deleted"), "old\n");
  execFileSync("tar", ["-C", root, "--owner=0", "--group=0", "-cf", join(folder, "1.tar"), "."]);
  writeFileSync(
    join(folder, "2.tar"),
    tar([
      { name: "data/", type: "5", mode: 0o755 },
      { name: "data/.wh.deleted" },
      { name: "data/owned", data: "new\n", uid: 33, gid: 44 },
    ]),
  );
  const image = join(folder, "layout:v1");
  const umoci = (...args: readonly string[]): void => void execFileSync("umoci", args, { stdio: "ignore" });
  umoci("init", "--layout", join(folder, "layout"));
  umoci("new", "--image", image);
  umoci("raw", "add-layer", "--image", image, join(folder, "1.tar"));
  umoci("raw", "add-layer", "--image", image, join(folder, "2.tar"));
  umoci("config", "--image", image, "--config.env", "GREETING=hello", "--config.workingdir", "/data");
  umoci(
    "config",
    "--image",
    image,
    "--config.cmd",
    "/bin/sh",
    "--config.cmd",
    "-c",
    "--config.cmd",
    "echo $GREETING; pwd; id -u",
  );
  execFileSync("chmod", ["-R", "a+rX", folder]);
  return join(folder, "layout");
}

/** A root filesystem of busybox as a tar archive, with files below `data` to change; `more` are further files. */
export function makeBusyboxArchive(path: string, more: Readonly<Record<string, string>> = {}): void {
  writeFileSync(path, busyboxLayer(more));
}

/** The same as bytes. */
export function busyboxLayer(more: Readonly<Record<string, string>> = {}): Buffer {
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  const applets = [
    "sh",
    "ls",
    "cat",
    "id",
    "stat",
    "rm",
    "env",
    "pwd",
    "echo",
    "ln",
    "mkdir",
    "chown",
    "sleep",
    "true",
  ];
  const entries = [
    ...["bin/", "etc/", "data/", "tmp/"].map((name) => ({ name, type: "5", mode: 0o755 })),
    { name: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
    ...[...applets, "readlink", "touch", "head", "wc"].map((name) => ({
      name: `bin/${name}`,
      type: "2",
      linkName: "busybox",
    })),
    { name: "etc/passwd", data: "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n" },
    { name: "etc/group", data: "root:x:0:\napp:x:1000:\n" },
    { name: "data/kept", data: "kept\n" },
    { name: "data/gone", data: "gone\n" },
    ...Object.entries(more).map(([name, data]) => ({ name, data })),
  ];
  return tar(entries);
}
