/**
 * Runs the compiled tests with node:test: `run-tests.mjs [--fast] [FILE|FOLDER…]`. Arguments name sources below `test/`;
 * without them all run. `--fast` leaves out what needs other programs, a kernel's
 * namespaces, a systemd guest or many builds.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const SLOW = ["test/differential/", "test/kernel/", "test/security/", "test/vm/", "test/real/", "test/mutation/"];
/** Guests of their own, minutes each: run when they are named. */
const ON_REQUEST = ["test/vm/"];

const words = process.argv.slice(2);
const fast = words.includes("--fast");
const named = words.filter((word) => !word.startsWith("--"));

/** @param {string} path relative to the repository */
function sources(path) {
  const absolute = resolve(root, path);
  if (!existsSync(absolute)) throw new Error(`${path} does not exist`);
  const found = statSync(absolute).isDirectory()
    ? readdirSync(absolute, { recursive: true, encoding: "utf8" }).map((entry) => `${absolute}/${entry}`)
    : [absolute];
  return found.filter((file) => file.endsWith(".test.ts")).map((file) => relative(root, file));
}

const starts = (file, folders) => folders.some((folder) => file.startsWith(folder));
const chosen = (named.length > 0 ? named.flatMap(sources) : sources("test").filter((file) => !starts(file, ON_REQUEST)))
  .filter((file) => !fast || !starts(file, SLOW))
  .toSorted();
if (chosen.length === 0) throw new Error(`no test files in ${named.join(" ") || "test/"}`);

// What was compiled from a source that is gone must not run, hence the list from the sources. The TAP reporter ends
// with the summary; the spec reporter repeats failures after it.
const result = spawnSync(
  process.execPath,
  [
    "--test",
    `--test-reporter=${process.stdout.isTTY ? "spec" : "tap"}`,
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    // For a test that hangs: it fails, and the others go on.
    "--test-timeout=600000",
    ...chosen.map((file) => `build/${file.replace(/\.ts$/, ".js")}`),
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
process.exitCode = result.status ?? 1;
