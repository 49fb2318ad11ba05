/**
 * Loads the bundles of `dist/`. Each is one function expression with CommonJS's parameters, compiled with the V8 code cache
 * beside it when this very Node made it, else afresh. The cache is never looked for anywhere else, least of all where
 * another user could write.
 */

import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Script } from "node:vm";

/**
 * Where the code cache of a bundle lies. V8 itself compares its version and flags only: between two releases of Node with the
 * same V8 version the bytecode can differ, and running the wrong one crashes. The name therefore tells the very program
 * that made it, by Node's version, architecture and the size of its file.
 */
export function codeCachePath(bundle: string): string {
  return `${bundle}.${process.version}-${process.arch}-${statSync(process.execPath).size}.cache`;
}

/** Compiles a bundle. After `runBundle` its code can be cached. */
export function compileBundle(file: string, cachedData?: Buffer): Script {
  return new Script(readFileSync(file, "utf8"), {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
}

/** What a compiled bundle exports. */
export function runBundle<Exports>(script: Script, file: string, require: (name: string) => unknown): Exports {
  const module = { exports: {} as Exports };
  const wrapper = script.runInThisContext() as (...args: unknown[]) => void;
  wrapper(module.exports, require, module, file, dirname(file));
  return module.exports;
}

/** What the bundle at this absolute path exports. */
export function loadBundle<Exports>(file: string, require: (name: string) => unknown): Exports {
  let cachedData: Buffer | undefined;
  try {
    cachedData = readFileSync(codeCachePath(file));
  } catch {
    // An installation without the cache is slower by some milliseconds, nothing else.
  }
  return runBundle(compileBundle(file, cachedData), file, require);
}
