/**
 * The filter that runc or crun installs for `linux.seccomp`: a container is started with it, and the program is read
 * back from the kernel with ptrace(2). Needs root.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OciSeccomp } from "../../src/profile/to-oci.ts";
import { prepareProgram, type PreparedProgram } from "../../src/seccomp/simulate.ts";
import { compileC } from "./compile-c.ts";

export type Runtime = "runc" | "crun";

let reader: string | undefined;

/** Why the filter of a container cannot be read here, or null. */
export function lackingForReading(): string | null {
  if (process.getuid?.() !== 0) return "only root can read a process's filter";
  if (process.arch !== "x64") return "the vectors are for x86_64";
  reader ??= compileC("installed-filter") ?? undefined;
  return reader === undefined ? "no C compiler (Debian: gcc, libc6-dev)" : null;
}

/**
 * crun refuses hosts with cgroup v1 and v2 mounted side by side, so runtimes get a mount namespace that shows v2 only.
 * The container waits for its standard input to end.
 */
const START = `
umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$0" --root "$1/state" run --detach --bundle "$1" --pid-file "$1/pid" "$2"`;

export function installedFilter(runtime: Runtime, seccomp: OciSeccomp): PreparedProgram {
  const bundle = mkdtempSync(join(tmpdir(), "pycri-runtime-"));
  const id = `pycri-differential-${process.pid}-${runtime}`;
  try {
    mkdirSync(`${bundle}/rootfs/bin`, { recursive: true });
    for (const directory of ["proc", "dev", "sys"]) mkdirSync(`${bundle}/rootfs/${directory}`);
    const busybox = spawnSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).stdout.trim();
    cpSync(busybox, `${bundle}/rootfs/bin/busybox`);
    writeFileSync(`${bundle}/config.json`, JSON.stringify(specWith(seccomp)));
    // The container inherits what the runtime has, so its messages go to a file and not to a pipe that would stay open.
    const log = openSync(`${bundle}/log`, "w");
    const command = ["--mount", "sh", "-c", START, runtime, bundle, id];
    const started = spawnSync("unshare", command, { stdio: ["ignore", log, log] });
    closeSync(log);
    assert.equal(started.status, 0, readFileSync(`${bundle}/log`, "utf8"));
    const pid = readFileSync(`${bundle}/pid`, "utf8").trim();
    awaitCommand(pid);
    assert.ok(reader !== undefined, lackingForReading() ?? "");
    const read = spawnSync(reader, [pid], { maxBuffer: 1 << 20 });
    process.kill(Number(pid), "SIGKILL");
    assert.equal(read.status, 0, read.stderr.toString("utf8"));
    return prepareProgram(read.stdout);
  } finally {
    spawnSync("unshare", ["--mount", "sh", "-c", DELETE, runtime, bundle, id], { stdio: "ignore" });
    rmSync(bundle, { recursive: true, force: true });
  }
}

const LIMIT_MS = 30_000;

/** A detached `run` may return before the container's process has its filter; with the command it surely has. */
function awaitCommand(pid: string): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const deadline = performance.now() + LIMIT_MS;
  while (readFileSync(`/proc/${pid}/comm`, "utf8") !== "busybox\n") {
    assert.ok(performance.now() < deadline, "the container's command has not begun");
    Atomics.wait(sleeper, 0, 0, 1);
  }
}

const DELETE = `
umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$0" --root "$1/state" delete --force "$2"`;

function specWith(seccomp: OciSeccomp): object {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["/bin/busybox", "sleep", "3600"],
      cwd: "/",
      noNewPrivileges: true,
    },
    root: { path: "rootfs" },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: [{ type: "mount" }, { type: "pid" }], seccomp },
  };
}
