/** Where pycri's own files are: beside the bundle when installed, in `dist/` when run from tsc's output. */

import { existsSync, readFileSync } from "node:fs";
import { RuntimeError } from "../errors.ts";

let distribution: string | undefined;

/** The directory with the bundles, the helper and the profiles' component. */
export function distributionDirectory(): string {
  distribution ??= existsSync(`${import.meta.dirname}/pycri-helper`)
    ? import.meta.dirname
    : import.meta.dirname.replace(/\/build\/src\/executor$/, "/dist");
  return distribution;
}

/** Path of the native helper. */
export function helperPath(): string {
  return `${distributionDirectory()}/pycri-helper`;
}

/** The helper's bytes. */
export function readHelper(): Uint8Array {
  try {
    return readFileSync(helperPath());
  } catch (cause) {
    throw new RuntimeError("LAUNCH_FAILED", `Cannot read the native helper "${helperPath()}"`, {
      hint: "pycri's installation is damaged; reinstall it",
      cause,
    });
  }
}

/** The command line's entry point, for the helper to call back. */
export function commandLinePath(): string {
  return `${distributionDirectory()}/pycri.cjs`;
}
