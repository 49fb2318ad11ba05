/** `write-code-cache.js FILE NAME`: see `writeCodeCache` in `build-bundle.ts`. */

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";
import { codeCachePath } from "../src/cli/code-cache.ts";

interface RunBundle {
  /** `prepare` of `run-entry.ts`. */
  readonly prepare: (args: readonly string[]) => Promise<unknown>;
}

const [file = "", name = ""] = process.argv.slice(2);
const script = new Script(readFileSync(file, "utf8"), { filename: file });
const module = { exports: {} as RunBundle };
const wrapper = script.runInThisContext() as (...args: unknown[]) => void;
wrapper(module.exports, createRequire(file), module, file, dirname(file));
// Everything up to the helper's start, which would end this process.
if (name === "run") await module.exports.prepare(["run", "--rm", "-i", "-e", "A=b", "host", "true"]);
writeFileSync(codeCachePath(file), script.createCachedData());
