/**
 * Root filesystems that the kernel tests run in: busybox with the probe program beside it, made anew for every test file,
 * and a Debian system with compiler and Python, made once and kept in the caller's cache under its recipe's digest.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, lchownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asCaller, caller } from "./caller.ts";
import { repository } from "./repository.ts";
import { command, pycri } from "./run.ts";
import { environment, makeOwned, scratch } from "./scratch.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
alice:x:1000:1000:Alice:/home/alice:/bin/sh
`;
const GROUP = `root:x:0:
daemon:x:1:
tty:x:5:
audio:x:29:alice
alice:x:1000:
`;

/** Files that outlive a test process, in the caller's home; as the caller may write them, root trusts none of them. */
const cache = join(caller.home, ".cache/pycri-tests");

function ownTree(path: string): void {
  lchownSync(path, caller.uid, caller.gid);
  for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) {
    lchownSync(join(path, entry), caller.uid, caller.gid);
  }
}

/** The probe program (`probe.c`), compiled; a static executable. */
export function compileProbe(target: string): void {
  execFileSync("gcc", [
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-static",
    "-o",
    target,
    join(repository, "test/support/probe.c"),
  ]);
}

/** A new busybox root filesystem below the scratch directory; owned by the caller. */
export function makeBusyboxRoot(name: string): string {
  const root = makeOwned(join(scratch, name));
  for (const folder of ["bin", "dev", "etc", "home/alice", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/lib"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const busybox = join(root, "bin/busybox");
  copyFileSync(execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim(), busybox);
  for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  writeFileSync(join(root, "etc/passwd"), PASSWD);
  writeFileSync(join(root, "etc/group"), GROUP);
  writeFileSync(join(root, "etc/hostname"), "busybox\n");
  compileProbe(join(root, "bin/probe"));
  ownTree(root);
  return root;
}

let shared: string | undefined;

/** The busybox root filesystem that tests of one file share; they must not change it. */
export function busyboxRoot(): string {
  shared ??= makeBusyboxRoot("busybox");
  return shared;
}

const SUITE = "bookworm";
const PACKAGES = ["gcc", "libc6-dev", "python3-minimal"];

/**
 * A Debian root filesystem whose owners are the caller's container ids (the caller is its root). mmdebstrap makes the
 * archive as the caller; pycri unpacks it, as a container's root.
 */
export async function debianRoot(): Promise<string> {
  const recipe = `1 ${SUITE} ${PACKAGES.join(",")} ${JSON.stringify(caller.subuid)} ${process.arch}`;
  const folder = join(cache, `debian-${createHash("sha256").update(recipe).digest("hex").slice(0, 16)}`);
  const root = join(folder, "root");
  if (existsSync(join(folder, "complete"))) return root;
  await command(["rm", "-rf", folder]);
  execFileSync("mkdir", ["-p", folder], asCaller);
  const archive = join(folder, "root.tar");
  const made = spawnSync(
    "mmdebstrap",
    [
      "--mode=unshare",
      "--variant=minbase",
      "--quiet",
      `--include=${PACKAGES.join(",")}`,
      // Device nodes are left out when it is unpacked; the container gets its own /dev.
      "--customize-hook=rm -rf $1/var/cache/apt/archives/*.deb $1/var/lib/apt/lists/*",
      SUITE,
      archive,
    ],
    { ...asCaller, cwd: caller.home, env: { ...environment, HOME: caller.home }, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`mmdebstrap failed: ${made.stderr}`);
  execFileSync("mkdir", [root], asCaller);
  const unpacked = await pycri([
    "run",
    `--volume=${folder}:/tmp/target`,
    "host",
    "tar",
    "-xpf",
    "/tmp/target/root.tar",
    "-C",
    "/tmp/target/root",
    "--exclude=./dev/*",
  ]);
  if (unpacked.status !== 0) throw new Error(`cannot unpack the Debian root: ${unpacked.stderr}`);
  await command(["rm", archive]);
  await command(["touch", join(folder, "complete")]);
  return root;
}
