/**
 * The private place of one test process, owned by the caller: home, runtime directory, and the pycri that is tested, in
 * place where the caller can reach it, else copied.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asCaller, caller } from "./caller.ts";
import { repository } from "./repository.ts";

/** Make a directory that belongs to the caller. */
export function makeOwned(path: string, mode = 0o755): string {
  mkdirSync(path, { mode });
  chmodSync(path, mode);
  chownSync(path, caller.uid, caller.gid);
  return path;
}

export const scratch: string = mkdtempSync(join(tmpdir(), "pycri-test-"));
chmodSync(scratch, 0o755);
chownSync(scratch, caller.uid, caller.gid);

export const home: string = makeOwned(join(scratch, "home"));
/** $XDG_RUNTIME_DIR of the caller. */
export const runtimeDirectory: string = makeOwned(join(scratch, "run"), 0o700);

process.once("exit", () => {
  // Files that belong to subordinate ids can be removed by their user namespace's root only.
  const result = spawnSync("rm", ["-rf", scratch], { stdio: "ignore" });
  if (result.status !== 0) {
    spawnSync("unshare", ["--map-root-user", "--map-auto", "rm", "-rf", scratch], { stdio: "ignore" });
  }
});

/** The environment of everything the caller runs; nothing of the test process's own. */
export const environment: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: home,
  USER: caller.name,
  XDG_RUNTIME_DIR: runtimeDirectory,
  LANG: "C.UTF-8",
};

function canRead(node: string, file: string): boolean {
  const program = `process.exitCode = require("node:fs").readFileSync(${JSON.stringify(file)}).length > 0 ? 0 : 1`;
  return spawnSync(node, ["-e", program], { ...asCaller, cwd: "/", env: environment, stdio: "ignore" }).status === 0;
}

/** The Node that runs these tests, and pycri's folder, both where the caller can reach them. */
function install(): { readonly node: string; readonly folder: string } {
  const entry = "dist/pycri.cjs";
  let node = process.execPath;
  if (canRead(node, join(repository, entry))) return { node, folder: repository };
  const folder = makeOwned(join(scratch, "installation"));
  for (const path of ["package.json", "dist", "profiles", "node_modules/koffi", "node_modules/@koromix"]) {
    cpSync(join(repository, path), join(folder, path), { recursive: true });
  }
  if (!canRead(node, join(folder, entry))) {
    node = join(folder, "node");
    cpSync(process.execPath, node);
  }
  return { node, folder };
}

const installation = install();

/** argv that begins a call of the command line, as the program's own first lines make it. */
export const pycriCommand: readonly [string, string, string] = [
  installation.node,
  "--",
  join(installation.folder, "dist/pycri.cjs"),
];
/** Where the package's own files are: the entry of the library below `dist/`. */
export const installationFolder: string = installation.folder;
