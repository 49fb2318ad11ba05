/** `write-code-cache.js FILE NAME`: see `writeCodeCache` in `build-bundle.ts`. */

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";
import { codeCachePath } from "../src/cli/code-cache.ts";

interface RunBundle {
  /** `rehearse` of `run-entry.ts`. */
  readonly rehearse: (args: readonly string[]) => Promise<void>;
}

const [file = "", name = ""] = process.argv.slice(2);
const directory = dirname(file);
const script = new Script(readFileSync(file, "utf8"), { filename: file });
const module = { exports: {} as RunBundle };
const wrapper = script.runInThisContext() as (...args: unknown[]) => void;
wrapper(module.exports, createRequire(file), module, file, directory);
// Common lines, whose functions are then compiled: a function that is not is compiled at every start. Any directory does
// for a root filesystem.
if (name === "run") {
  for (const line of [
    ["--rm", "-i", "-e", "A=b", "host", "true"],
    ["-v", "/tmp:/mnt:ro", "-w", "/", "-u", "0", "--hostname=name", "--name=name", directory, "true"],
    ["-it", "--read-only", "--tmpfs=/tmp", "--userns=keep-id", "--cap-drop=ALL", directory, "true"],
    ["--userns=single", "--init", "--ulimit=nofile=64", "--security-opt=seccomp=unconfined", directory],
  ])
    await module.exports.rehearse(["run", ...line]);
}
writeFileSync(codeCachePath(file), script.createCachedData());
