/**
 * What npm publishes, in a folder of its own: packed, installed without a network and without scripts, compiled against by a
 * strict TypeScript program, and run by an ordinary user.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { repository } from "../support/repository.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command } from "../support/run.ts";
import { pycriCommand, scratch } from "../support/scratch.ts";

/** npm as whoever runs the tests, with a cache of its own, which is empty. */
function npm(cwd: string, ...args: readonly string[]): void {
  const quiet = [
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    `--cache=${join(scratch, "npm")}`,
  ];
  const { status, stderr } = spawnSync("npm", [...args, ...quiet], { cwd, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

let packed: string | undefined;

/** A folder with the tarballs of pycri and of the one package it needs. */
function tarballs(): readonly string[] {
  if (packed === undefined) {
    packed = join(scratch, "tarballs");
    mkdirSync(packed);
    const modules = join(repository, "node_modules");
    const binaries = readdirSync(join(modules, "@koromix")).map((name) => join(modules, "@koromix", name));
    for (const folder of [repository, join(modules, "koffi"), ...binaries]) npm(packed, "pack", "--silent", folder);
  }
  const folder = packed;
  return readdirSync(folder).map((name) => join(folder, name));
}

function makeApplication(name: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  npm(folder, "install", "--offline", ...tarballs());
  return folder;
}

const PROGRAM = `
import { doctor, type Finding, info, run, RunError, type RunOptions, spec, start } from "pycri";

const [rootfs = ""] = process.argv.slice(2);
const options = { rootfs, command: ["sh", "-c", "echo hello; exit 3"] } satisfies RunOptions;
const result = await run(options);
const text: string = result.stdout;
const status: number = result.exitStatus;
const bytes: Uint8Array = (await run({ ...options, encoding: "bytes" })).stdout;
const nothing: null = (await run({ ...options, stdout: "ignore" })).stdout;
// @ts-expect-error: there is no such option
const misspelt = run({ ...options, comand: [] }).catch((error: unknown) => error instanceof RunError && error.code);
const container = await start({ rootfs, command: ["cat"], stdin: "pipe", stdout: "ignore" });
container.stdin?.end();
const { exitCode } = await container.result;
const { spec: document } = await spec(options);
const findings: readonly Finding[] = (await doctor()).findings;
console.log(JSON.stringify({ text, status, bytes: bytes.length, nothing, misspelt: await misspelt, exitCode,
  args: document.process?.args, uid: info().caller.uid, container: findings.find(({ subject }) => subject === "container")?.level }));
`;

kernelTest("a strict program compiles against the installed package, and an ordinary user runs it", async () => {
  const folder = makeApplication("typescript-application");
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  for (const name of ["@types/node", "undici-types"]) {
    symlinkSync(join(repository, "node_modules", name), join(folder, "node_modules", name));
  }
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  const flags = [
    "--strict",
    "--exactOptionalPropertyTypes",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--types",
    "node",
  ];
  const compiled = spawnSync(process.execPath, [compiler, ...flags, "program.ts"], { cwd: folder, encoding: "utf8" });
  assert.deepEqual({ status: compiled.status, stdout: compiled.stdout }, { status: 0, stdout: "" });

  const { status, stdout, stderr } = await command([pycriCommand[0], join(folder, "program.js"), busyboxRoot()]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.deepEqual(JSON.parse(stdout), {
    text: "hello\n",
    status: 3,
    bytes: 6,
    nothing: null,
    misspelt: "INVALID_ARGUMENT",
    exitCode: 0,
    args: ["sh", "-c", "echo hello; exit 3"],
    uid: caller.uid,
    container: "ok",
  });
});

kernelTest("the installed program runs containers, images' code and manual included", async () => {
  const folder = makeApplication("plain-application");
  const program = join(folder, "node_modules/.bin/pycri");
  const ran = await command([program, "run", busyboxRoot(), "echo", "installed"]);
  assert.deepEqual(ran, { status: 0, signal: null, stdout: "installed\n", stderr: "" });
  const images = await command([program, "images", "--format", "{{.ID}}"]);
  assert.deepEqual(images, { status: 0, signal: null, stdout: "", stderr: "" });

  const prefix = join(scratch, "prefix");
  npm(scratch, "install", "--offline", "--global", `--prefix=${prefix}`, ...tarballs());
  assert.ok(existsSync(join(prefix, "bin/pycri")));
  assert.match(readFileSync(join(prefix, "share/man/man1/pycri-run.1"), "utf8"), /^\.TH "PYCRI\\-RUN" "1"/m);
});

kernelTest("nothing of the sources, the tests or the build's own is packed", () => {
  const [archive = ""] = tarballs().filter((path) => /\/pycri-\d/.test(path));
  const files = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n");
  const top = new Set(files.map((path) => path.split("/").slice(0, 2).join("/")));
  assert.deepEqual([...top].toSorted(), [
    "package/CHANGELOG.md",
    "package/LICENSE",
    "package/README.md",
    "package/SECURITY.md",
    "package/dist",
    "package/package.json",
    "package/profiles",
    "package/wasm",
  ]);
  assert.deepEqual(
    files.filter((path) => /\.(?:c|h|map|tsbuildinfo)$|(?<!\.d)\.ts$/.test(path)),
    [],
  );
});
