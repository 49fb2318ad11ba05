/**
 * The build, step by step: types and test code with tsc, then the schemas' validators, the compiler component, the native
 * helper, the bundles and the manual. `node scripts/build.mjs [STEP…]` runs single steps. Each step but the first is a function
 * exported by a script of its own that tsc has emitted to `build/scripts`.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const steps = {
  types() {
    const result = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "."], {
      cwd: root,
      stdio: "inherit",
    });
    if (result.status !== 0) process.exit(result.status ?? 1);
  },
  validators: () => load("build-validators"),
  component: () => load("build-component"),
  native: () => load("build-native"),
  bundle: () => load("build-bundle"),
  manual: () => load("build-manual"),
};

/** @param {string} name */
async function load(name) {
  const script = `${root}build/scripts/${name}.js`;
  if (!existsSync(script)) throw new Error(`${script} is missing: run the step "types" first`);
  const { build } = await import(script);
  await build(root);
}

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(steps)) {
  const step = steps[name];
  if (step === undefined) throw new Error(`unknown step "${name}"; one of ${Object.keys(steps).join(", ")}`);
  await step();
}
