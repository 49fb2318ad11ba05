/**
 * Builds the seccomp compiler component: AssemblyScript to core WebAssembly, the exports renamed to what the canonical
 * ABI demands, the WIT embedded, the component transpiled for JavaScript hosts.
 *
 * Out come, in `dist/component/`, `seccomp.wasm` (the component, for any host), `seccomp.js` and `seccomp.core.wasm`
 * (for bundlers and browsers); and `dist/seccomp-component.cjs` with its V8 code cache, which Node loads synchronously, as it
 * does the core module.
 * The host's types go to `wasm/generated/`, which is committed so that type checking needs no build.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { main as compileModule } from "assemblyscript/asc";
import { build as bundle } from "esbuild";
import { FUNCTION_EXPRESSION, removeCodeCaches, writeCodeCache } from "./code-cache.ts";

const PACKAGE = "pycri:seccomp";

/** Interfaces of the world and their functions; AssemblyScript exports the functions under their camel-case names. */
const INTERFACES = {
  compiler: ["compile"],
  prover: ["prove"],
  analyser: ["analyse"],
  simulator: ["simulate"],
  disassembler: ["disassemble"],
} as const;

/** Pages of 64 KiB the component may grow to. */
const MAXIMUM_PAGES = 1024;

export interface ComponentBuild {
  /** The core module with its canonical ABI exports. */
  readonly core: Uint8Array;
  readonly component: Uint8Array;
  /** jco's output by file name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/**
 * Compiles the sources below `root`; writes nothing. `edit` may change a source file before it is compiled: mutation
 * tests break the compiler with it.
 */
export async function buildComponent(
  root: string,
  edit: (file: string, source: string) => string = (_, source) => source,
): Promise<ComponentBuild> {
  const witSource = readFileSync(join(root, "wasm/wit/seccomp.wit"), "utf8");
  const version = /^package \S+@(\S+);$/m.exec(witSource)?.[1];
  if (version === undefined) throw new Error("wasm/wit/seccomp.wit declares no package version");
  const core = renameExports(await compileAssembly(root, edit), canonicalNames(version));
  const embedded = await componentEmbed({ binary: core, witSource, world: "seccomp", stringEncoding: "utf8" });
  const component = await componentNew(embedded);
  const { files, imports } = await transpileBytes(component, {
    name: "seccomp",
    instantiation: "sync",
    // Without it, integers that are too large for their WIT type wrap silently.
    strict: true,
    noComponentErrorWrapping: true,
  });
  if (imports.length > 0) throw new Error(`the component must not import anything, but imports ${imports.join(", ")}`);
  return { core, component, files };
}

/** Builds and writes everything. */
export async function build(root: string): Promise<void> {
  const { component, files } = await buildComponent(root);
  const output = join(root, "dist/component");
  rmSync(output, { recursive: true, force: true });
  write(join(output, "seccomp.wasm"), component);
  for (const [name, bytes] of Object.entries(files)) {
    if (name.endsWith(".d.ts")) write(join(root, "wasm/generated", name), bytes);
    else write(join(output, name), bytes);
  }
  const file = join(root, "dist/seccomp-component.cjs");
  removeCodeCaches(file);
  await bundle({
    ...FUNCTION_EXPRESSION,
    stdin: { contents: LOADER, resolveDir: output, sourcefile: "load-component.js" },
    outfile: file,
    bundle: true,
    minify: true,
    platform: "node",
    target: "node20",
    define: {
      // Nothing is asynchronous here; where there is no such function, the binding catches an error six times.
      "WebAssembly.promising": "Object",
      "globalThis.process.env.JCO_DEBUG": "undefined",
    },
    logLevel: "warning",
  });
  writeCodeCache(root, file);
}

/** The bundle's entry: compiles the module once, makes an instance at each call. */
const LOADER = `
import { instantiate } from "./seccomp.js";
import { readFileSync } from "node:fs";
let module;
const compileCore = () => new WebAssembly.Module(readFileSync(__dirname + "/component/seccomp.core.wasm"));
export const instantiateComponent = () => instantiate(() => (module ??= compileCore()), {});
`;

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

async function compileAssembly(root: string, edit: (file: string, source: string) => string): Promise<Uint8Array> {
  const folder = join(root, "wasm/assembly");
  const sources = new Map(
    readdirSync(folder).map((file) => [file, edit(file, readFileSync(join(folder, file), "utf8"))] as const),
  );
  let binary: Uint8Array | undefined;
  const { error, stderr } = await compileModule(
    // Shrink level 1 would save a quarter of the size and double the time: array accesses would not be inlined.
    // `abort=` turns aborts into traps, so that nothing is imported.
    "index.ts --outFile core.wasm --runtime stub -O3 --noAssert --use abort="
      .split(" ")
      .concat("--maximumMemory", String(MAXIMUM_PAGES)),
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, contents) => {
        if (name === "core.wasm" && typeof contents !== "string") binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) throw new Error(`AssemblyScript failed: ${stderr.toString()}`);
  return binary;
}

/** AssemblyScript's export names to the canonical ABI's. */
function canonicalNames(version: string): Map<string, string> {
  const names = new Map([["reallocate", "cabi_realloc"]]);
  for (const [name, functions] of Object.entries(INTERFACES)) {
    for (const exported of functions) names.set(exported, `${PACKAGE}/${name}@${version}#${exported}`);
  }
  return names;
}

const EXPORT_SECTION = 7;
const HEADER_LENGTH = 8;
const RELEASE = "release";

/**
 * Rewrites the export section, as AssemblyScript cannot export a name that is no identifier. Every function but the
 * allocator also gets its `cabi_post_` companion, which is the one function `release`.
 */
export function renameExports(module: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  const output: number[][] = [[...module.subarray(0, HEADER_LENGTH)]];
  let at = HEADER_LENGTH;
  const read = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < module.length) {
    const start = at;
    const section = module[at++];
    const size = read();
    const end = at + size;
    if (section !== EXPORT_SECTION) {
      output.push([...module.subarray(start, end)]);
      at = end;
      continue;
    }
    const entries: { name: string; kind: number; index: number }[] = [];
    for (let left = read(); left > 0; left--) {
      const length = read();
      const name = new TextDecoder().decode(module.subarray(at, at + length));
      at += length;
      const kind = module[at++] ?? 0;
      entries.push({ name, kind, index: read() });
    }
    const body = encodeExports(entries, names);
    output.push([EXPORT_SECTION, ...unsigned(body.length), ...body]);
  }
  return Uint8Array.from(output.flat());
}

function encodeExports(
  entries: readonly { name: string; kind: number; index: number }[],
  names: ReadonlyMap<string, string>,
): number[] {
  const release = entries.find(({ name }) => name === RELEASE);
  if (release === undefined) throw new Error(`the core module does not export "${RELEASE}"`);
  const renamed = entries.flatMap((entry) => {
    if (entry.name === RELEASE) return [];
    if (entry.name === "memory") return [entry];
    const name = names.get(entry.name);
    if (name === undefined) throw new Error(`the core module exports "${entry.name}", which the WIT does not name`);
    const post = name.includes("#") ? [{ ...release, name: `cabi_post_${name}` }] : [];
    return [{ ...entry, name }, ...post];
  });
  return [
    ...unsigned(renamed.length),
    ...renamed.flatMap(({ name, kind, index }) => {
      const bytes = new TextEncoder().encode(name);
      return [...unsigned(bytes.length), ...bytes, kind, ...unsigned(index)];
    }),
  ];
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
