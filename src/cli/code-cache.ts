/**
 * Where the V8 code cache of a bundle lies. V8 itself compares its version and flags only: between two releases of Node with the
 * same V8 version the bytecode can differ, and running the wrong one crashes. The name therefore tells the very program
 * that made it, by Node's version, architecture and the size of its file.
 */

import { statSync } from "node:fs";

/** @param bundle path of the bundle. */
export function codeCachePath(bundle: string): string {
  return `${bundle}.${process.version}-${process.arch}-${statSync(process.execPath).size}.cache`;
}
