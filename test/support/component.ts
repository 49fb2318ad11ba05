/** The compiler component for tests: the one that was built, or one that a test has built itself. */
import { createRequire } from "node:module";
import type { ComponentBuild } from "../../scripts/build-component.ts";
import { Compiler, type Component } from "../../src/seccomp/compiler.ts";
import { loadBundle } from "../../src/sys/bundle.ts";
import { repository } from "./repository.ts";

const bundle = loadBundle<{ readonly instantiateComponent: () => Component }>(
  `${repository}/dist/seccomp-component.cjs`,
  createRequire(import.meta.filename),
);

export const instantiateComponent: () => Component = bundle.instantiateComponent;

/** With an instance of its own. */
export const builtCompiler: Compiler = new Compiler(instantiateComponent);

/** What Node's types leave out. */
export interface CoreInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => CoreInstance;
}
const { WebAssembly: api } = globalThis as unknown as { readonly WebAssembly: WebAssemblyApi };

/** A core module that imports nothing. */
export function instantiateCore(bytes: Uint8Array): CoreInstance {
  return new api.Instance(new api.Module(bytes), {});
}

interface Binding {
  instantiate(
    core: () => object,
    imports: object,
    instantiateCore?: (module: object, imports: object) => CoreInstance,
  ): Component;
}

/** The JavaScript binding of a component as it is transpiled. */
export async function bindingOf({ files }: Pick<ComponentBuild, "files">): Promise<{
  readonly binding: Binding;
  readonly module: object;
}> {
  const source = Buffer.from(files["seccomp.js"] ?? []).toString("base64");
  const binding = (await import(`data:text/javascript;base64,${source}`)) as Binding;
  return { binding, module: new api.Module(new Uint8Array(files["seccomp.core.wasm"] ?? [])) };
}

/** @param observe is given every core instance that is made, and may replace its exports */
export async function compilerOf(
  build: Pick<ComponentBuild, "files">,
  observe: (instance: CoreInstance) => CoreInstance = (instance) => instance,
): Promise<Compiler> {
  const { binding, module } = await bindingOf(build);
  return new Compiler(() =>
    binding.instantiate(
      () => module,
      {},
      (core, imports) => observe(new api.Instance(core, imports)),
    ),
  );
}
