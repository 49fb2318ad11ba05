/**
 * `kernelTest`: a test that makes real namespaces. It is skipped with a reason where the machine cannot run it, fails for
 * that reason under REQUIRE_KERNEL=1, and fails when it leaves a process, a mount or a file behind.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { probeLandlockAbi } from "../../src/sys/kernel-features.ts";
import { asCaller, caller } from "./caller.ts";
import { lackOfCgroups } from "./cgroups.ts";
import { assertNoProcesses, mountsBelow, pathsBelow } from "./leftovers.ts";
import { environment, home, runtimeDirectory, scratch } from "./scratch.ts";

const succeeds = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { ...asCaller, cwd: home, env: environment, stdio: "ignore" }).status === 0;

export type Need =
  | "userNamespaces"
  | "subordinateIds"
  | "busybox"
  | "compiler"
  | "mmdebstrap"
  | "root"
  | "apparmor"
  | "landlock"
  | "fuse"
  | "cgroups"
  | "attributes"
  | "registry"
  | "skopeo"
  | "umoci"
  | "podman"
  | "zstd";

/** Why programs are missing, or null; each with its Debian package. */
function programs(...needed: readonly (readonly [program: string, debianPackage: string])[]): string | null {
  const absent = needed.filter(([program]) => !succeeds("sh", "-c", `command -v ${program}`));
  if (absent.length === 0) return null;
  return `${absent.map(([program]) => program).join(", ")} not installed (Debian: ${absent.map(([, name]) => name).join(" ")})`;
}

/** Why a need is not met, or null. */
const NEEDS: Readonly<Record<Need, () => string | null>> = {
  userNamespaces: () =>
    succeeds("unshare", "--user", "true") ? null : `user namespaces are refused to ${caller.name}`,
  subordinateIds: () =>
    caller.subuid === null || caller.subgid === null
      ? `${caller.name} has no subordinate ids`
      : succeeds("sh", "-c", "command -v newuidmap && command -v newgidmap")
        ? null
        : "newuidmap is not installed (Debian: uidmap)",
  busybox: () =>
    succeeds("sh", "-c", "command -v busybox") ? null : "busybox is not installed (Debian: busybox-static)",
  compiler: () => (succeeds("sh", "-c", "command -v gcc") ? null : "no C compiler (Debian: gcc, libc6-dev)"),
  mmdebstrap: () => (succeeds("sh", "-c", "command -v mmdebstrap") ? null : "mmdebstrap is not installed"),
  attributes: () => programs(["getfattr", "attr"]),
  registry: () =>
    programs(
      ["docker-registry", "docker-registry"],
      ["htpasswd", "apache2-utils"],
      ["openssl", "openssl"],
      ["curl", "curl"],
    ),
  skopeo: () => programs(["skopeo", "skopeo"]),
  umoci: () => programs(["umoci", "umoci"]),
  podman: () => programs(["podman", "podman"]),
  zstd: () => programs(["zstd", "zstd"]),
  root: () => (process.getuid?.() === 0 ? null : "only root can prepare this"),
  landlock: () => (probeLandlockAbi() >= 2 ? null : "the kernel has no Landlock ABI 2 (Linux 5.19, lsm=landlock)"),
  fuse: () =>
    readFileSync("/proc/filesystems", "utf8").includes("\tfuse\n")
      ? programs(["fuse-overlayfs", "fuse-overlayfs"])
      : "the kernel has no FUSE",
  cgroups: lackOfCgroups,
  apparmor: () => (existsSync("/sys/kernel/security/apparmor") ? null : "the kernel has no AppArmor"),
};

const known = new Map<Need, string | null>();

function lacking(needs: readonly Need[]): string | null {
  for (const need of needs) {
    if (!known.has(need)) known.set(need, NEEDS[need]());
    const reason = known.get(need) ?? null;
    if (reason !== null) return reason;
  }
  return null;
}

/** Every kernel test needs these. */
const BASE = ["userNamespaces", "subordinateIds", "busybox", "compiler"] as const satisfies readonly Need[];

/**
 * For tests that keep servers running, which `kernelTest` would take for processes left behind: `skip` of `test`'s options.
 * Under REQUIRE_KERNEL=1 nothing is skipped, and what is missing fails.
 */
export function reasonToSkip(needs: readonly Need[]): string | false {
  return process.env["REQUIRE_KERNEL"] === "1" ? false : (lacking([...BASE, ...needs]) ?? false);
}

/** Define a kernel test. `needs` beside user namespaces, subordinate ids, busybox and a compiler. */
export function kernelTest(
  name: string,
  body: (context: TestContext) => Promise<void> | void,
  needs: readonly Need[] = [],
): void {
  void test(name, async (context) => {
    const reason = lacking([...BASE, ...needs]);
    if (reason !== null) {
      assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `REQUIRE_KERNEL=1, but ${reason}`);
      context.skip(reason);
      return;
    }
    // The runtime directory's own skeleton may appear with the first container, and stays.
    const before = pathsBelow(runtimeDirectory);
    await body(context);
    await assertNoProcesses();
    assert.deepEqual(mountsBelow(scratch), [], "mounts were left behind");
    assert.deepEqual(newFiles(before), [], "files were left behind");
  });
}

/** Directories that pycri makes once and keeps, and the files whose bytes are locked for `--userns auto`. */
const SKELETON = /^pycri(?:\/[a-z]+|\/[ug]ids\.lock)?$/;

/** Paths below the runtime directory that a container left behind. */
export function newFiles(before: readonly string[]): readonly string[] {
  return pathsBelow(runtimeDirectory).filter((path) => !before.includes(path) && !SKELETON.test(path));
}
