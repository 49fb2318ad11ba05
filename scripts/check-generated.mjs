/**
 * Fails when a committed file that a generator makes is not what the generator makes now. It runs every step of the
 * build that generates, and names what changed; the files are then up to date and want committing.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });

const committed = execFileSync("git", ["ls-files", "-z", "--", ":(glob)**/generated/**"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\0")
  .filter((path) => path !== "")
  // Its list of manual pages is generated, too.
  .concat("package.json");
const read = (path) => (existsSync(`${root}${path}`) ? readFileSync(`${root}${path}`, "utf8") : null);
const before = new Map(committed.map((path) => [path, read(path)]));

node("scripts/build.mjs");
node("build/scripts/generate-wire.js");

const stale = committed.filter((path) => read(path) !== before.get(path));
if (stale.length > 0) {
  console.error(`Stale, and now generated anew: ${stale.join(", ")}`);
  process.exitCode = 1;
}
