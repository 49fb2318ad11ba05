/**
 * `pycri`, the program: loads the small bundle for `run`, the full one for everything else. Each bundle is one function
 * expression, compiled with the V8 code cache beside it when this very Node made it, else afresh. The cache is never looked
 * for anywhere else, least of all where another user could write.
 */

import { readFileSync } from "node:fs";
import { Script } from "node:vm";
import { codeCachePath } from "./code-cache.ts";

interface Entry {
  readonly start: (args: readonly string[], loadFull: () => Entry) => unknown;
}

function load(name: string): Entry {
  const filename = `${import.meta.dirname}/${name}.cjs`;
  let cachedData: Buffer | undefined;
  try {
    cachedData = readFileSync(codeCachePath(filename));
  } catch {
    // An installation without the cache is slower by some milliseconds, nothing else.
  }
  const script = new Script(readFileSync(filename, "utf8"), {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} as Entry };
  const wrapper = script.runInThisContext() as (...args: unknown[]) => void;
  wrapper(module.exports, require, module, filename, import.meta.dirname);
  return module.exports;
}

const args = process.argv.slice(2);
load(args[0] === "run" ? "run" : "full").start(args, () => load("full"));
