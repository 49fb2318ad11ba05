/** `write-code-cache.js FILE`: see `writeCodeCache` in `code-cache.ts`. */

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { DEFAULT_CAPABILITIES } from "../src/plan/capabilities.ts";
import { builtinProfile } from "../src/profile/builtin-profiles.ts";
import { resolveProfile } from "../src/profile/resolve-profile.ts";
import { Compiler, type Component } from "../src/seccomp/compiler.ts";
import { codeCachePath, compileBundle, runBundle } from "../src/sys/bundle.ts";

const [file = ""] = process.argv.slice(2);

/** What a start of each bundle uses. A function that has not run is compiled at every start. */
const rehearsals: Readonly<Record<string, (exports: never) => Promise<void> | void>> = {
  /** Common lines. Any directory does for a root filesystem. */
  async "run.cjs"({ rehearse }: { readonly rehearse: (args: readonly string[]) => Promise<void> }) {
    const directory = dirname(file);
    for (const line of [
      ["--rm", "-i", "-e", "A=b", "host", "true"],
      ["-v", "/tmp:/mnt:ro", "-w", "/", "-u", "0", "--hostname=name", "--name=name", directory, "true"],
      ["-it", "--read-only", "--tmpfs=/tmp", "--userns=keep-id", "--cap-drop=ALL", directory, "true"],
      ["--userns=single", "--init", "--ulimit=nofile=64", "--security-opt=seccomp=unconfined", directory],
    ])
      await rehearse(["run", ...line]);
  },
  "seccomp-component.cjs"({ instantiateComponent }: { readonly instantiateComponent: () => Component }) {
    const { filter } = resolveProfile(builtinProfile("default"), {
      native: "x86_64",
      capabilities: DEFAULT_CAPABILITIES,
      kernel: { major: 6, minor: 1 },
    });
    new Compiler(instantiateComponent).compile(filter);
  },
};

const script = compileBundle(file);
const exports = runBundle<never>(script, file, createRequire(file));
await rehearsals[basename(file)]?.(exports);
writeFileSync(codeCachePath(file), script.createCachedData());
