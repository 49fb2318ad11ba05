/**
 * CVE-2019-5736: a container reaches the runtime's own program through /proc/self/exe or /proc/PID/exe and overwrites it.
 * The installation here belongs to the caller, who is the container's root, so that ownership protects nothing.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot, makeBusyboxRoot } from "../support/root-filesystem.ts";
import { command } from "../support/run.ts";
import { makeOwned, installationFolder, pycriCommand, scratch } from "../support/scratch.ts";

function install(): string {
  const folder = makeOwned(join(scratch, "owned-installation"));
  for (const path of ["package.json", "dist", "profiles", "node_modules/koffi", "node_modules/@koromix"]) {
    cpSync(join(installationFolder, path), join(folder, path), { recursive: true });
  }
  return folder;
}

function digest(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) hash.update(name.name).update(readFileSync(join(name.parentPath, name.name)));
  }
  return hash.digest("hex");
}

const REFUSALS = ["EACCES", "EPERM", "ETXTBSY", "ENOENT", "EROFS"];

kernelTest("no path from inside opens the helper for writing", async () => {
  const folder = install();
  await command(["sh", "-c", 'chmod -R u+w "$1"', "sh", folder], { asSelf: true });
  const { execFileSync } = await import("node:child_process");
  const { caller } = await import("../support/caller.ts");
  if (process.getuid?.() === 0) execFileSync("chown", ["-R", `${caller.uid}:${caller.gid}`, folder]);
  const dist = join(folder, "dist");
  const before = digest(dist);
  const run = (flags: readonly string[], ...argv: readonly string[]): ReturnType<typeof command> =>
    command([pycriCommand[0], "--", join(dist, "pycri.cjs"), "run", ...flags, busyboxRoot(), ...argv]);

  for (const flags of [[], ["--init"], ["--init", "--cap-add=ALL", "--security-opt=seccomp=unconfined"]]) {
    // PID 1 is the helper itself under --init.
    const { stdout } = await run(flags, "sh", "-c", "for p in /proc/[0-9]*/exe; do probe open-for-writing $p; done");
    const answers = new Set(stdout.trim().split("\n"));
    for (const answer of answers) assert.ok(REFUSALS.includes(answer), `opened for writing: ${[...answers].join()}`);
  }
  assert.equal(digest(dist), before);
});

kernelTest("/proc/self/exe as the command, or behind a script or symlink, is not the host's helper", async () => {
  const folder = join(scratch, "owned-installation/dist");
  const before = digest(folder);
  const root = makeBusyboxRoot("self-exe");
  const { symlinkSync, writeFileSync } = await import("node:fs");
  symlinkSync("/proc/self/exe", join(root, "link"));
  writeFileSync(join(root, "script"), "#!/proc/self/exe\n", { mode: 0o755 });
  for (const name of ["/proc/self/exe", "/link", "/script"]) {
    const outcome = await command([pycriCommand[0], "--", join(folder, "pycri.cjs"), "run", root, name]);
    // The helper, started without a plan, does nothing; it must not have run as anything but itself.
    assert.notEqual(outcome.status, 0, `${name} ran`);
    assert.equal(outcome.stdout, "");
  }
  assert.equal(digest(folder), before);
});
