/** `pycri`, the program: loads the small bundle for `run`, the full one for everything else. */

import { loadBundle } from "../sys/bundle.ts";

interface Entry {
  readonly start: (args: readonly string[], loadFull: () => Entry) => unknown;
}

const load = (name: string): Entry => loadBundle(`${import.meta.dirname}/${name}.cjs`, require);

const args = process.argv.slice(2);
load(args[0] === "run" ? "run" : "full").start(args, () => load("full"));
