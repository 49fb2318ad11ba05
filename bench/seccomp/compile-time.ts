/**
 * How long compiling takes: in the core module alone and through the component when warm, in a process that has to load and
 * instantiate it first; and libseccomp's time for the same rules. Interleaved, the quietest runs, as the peers were measured.
 * The processes in between leave caches cold: warm is the quickest of some compilations in a row.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serialize } from "node:v8";
import type { Compiler } from "../../src/seccomp/compiler.ts";
import { timeOci } from "../../test/differential/libseccomp.ts";
import { compilerOf, type CoreInstance } from "../../test/support/component.ts";
import { repository } from "../../test/support/repository.ts";
import { scratch } from "../../test/support/scratch.ts";
import { least } from "./least.ts";
import type { Subject } from "./subjects.ts";

/** Milliseconds. */
export interface CompileTime {
  readonly core: number;
  readonly component: number;
  readonly componentVerified: number;
  readonly fresh: number;
  readonly freshVerified: number;
  readonly libseccomp: number;
  readonly libseccompTree: number;
}

let inCore = 0;

/** Counts the time in the core's `compile`. */
function timed(instance: CoreInstance): CoreInstance {
  const entries = Object.entries(instance.exports).map(([name, value]): [string, unknown] => {
    if (!name.endsWith("#compile") || name.startsWith("cabi_post_")) return [name, value];
    const compile = value as (...parameters: number[]) => number;
    return [
      name,
      (...parameters: number[]) => {
        const begin = performance.now();
        const result = compile(...parameters);
        inCore = performance.now() - begin;
        return result;
      },
    ];
  });
  return { exports: Object.fromEntries(entries) };
}

async function timedCompiler(): Promise<Compiler> {
  const folder = `${repository}/dist/component`;
  const files = Object.fromEntries(
    ["seccomp.js", "seccomp.core.wasm"].map((name) => [name, readFileSync(`${folder}/${name}`)]),
  );
  return compilerOf({ files }, timed);
}

/** Compilations in a row. */
const ROW = 10;

const elapsed = (use: () => unknown): number => {
  const begin = performance.now();
  use();
  return performance.now() - begin;
};

export async function compileTimes(subject: Subject, rounds: number): Promise<CompileTime> {
  const compiler = await timedCompiler();
  const { filter, oci } = subject;
  const file = join(scratch, "filter");
  writeFileSync(file, serialize(filter));
  const fresh = (how: string): number =>
    Number(execFileSync(process.execPath, [`${repository}/build/bench/seccomp/fresh-process.js`, file, how]));
  for (let i = 0; i < 300; i++) compiler.compile(filter, { verify: i % 10 === 0 });
  const samples = Array.from({ length: rounds }, () => {
    const row = Array.from({ length: ROW }, () => {
      const component = elapsed(() => compiler.compile(filter, { verify: false }));
      return { component, core: inCore };
    });
    return {
      core: least(row.map(({ core }) => core)),
      component: least(row.map(({ component }) => component)),
      componentVerified: least(Array.from({ length: ROW }, () => elapsed(() => compiler.compile(filter)))),
      fresh: fresh(""),
      freshVerified: fresh("verify"),
      libseccomp: timeOci(oci, 1),
      libseccompTree: timeOci(oci, 2),
    };
  });
  const column = (key: keyof CompileTime): number => least(samples.map((sample) => sample[key]));
  return {
    core: column("core"),
    component: column("component"),
    componentVerified: column("componentVerified"),
    fresh: column("fresh"),
    freshVerified: column("freshVerified"),
    libseccomp: column("libseccomp"),
    libseccompTree: column("libseccompTree"),
  };
}
