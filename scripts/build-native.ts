/**
 * Builds the native helper: every `native/*.c` into `dist/pycri-helper`, static, hardened and stripped; and into
 * `build/native/decode-plan` the decoder alone with a printer, which the contract tests compare with the encoder.
 *
 * `CC` names another compiler (aarch64-linux-gnu-gcc).
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generateHeader } from "./generate-wire.ts";

const COMPILER_FLAGS = [
  "-std=gnu11",
  "-D_GNU_SOURCE",
  "-D_FILE_OFFSET_BITS=64",
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wshadow",
  "-Wstrict-prototypes",
  "-Wmissing-prototypes",
  "-Wwrite-strings",
  "-Wvla",
  "-D_FORTIFY_SOURCE=2",
  "-fstack-protector-strong",
  "-fstack-clash-protection",
  "-ftrivial-auto-var-init=pattern",
  "-ffunction-sections",
  "-fdata-sections",
];

const LINKER_FLAGS = [
  "-static-pie",
  "-fPIE",
  "-Wl,--gc-sections",
  "-Wl,-z,relro",
  "-Wl,-z,now",
  "-Wl,-z,noexecstack",
  "-s",
];

/** Runs the compiler; a failure ends the build with the compiler's own messages. */
export function compile(root: string, sources: readonly string[], output: string, flags: readonly string[]): void {
  const compiler = process.env["CC"] ?? "cc";
  const paths = sources.map((source) => join(root, source));
  const result = spawnSync(compiler, [...flags, ...paths, "-o", join(root, output)], { stdio: "inherit" });
  if (result.error !== undefined) throw new Error(`Cannot run the C compiler "${compiler}"`, { cause: result.error });
  if (result.status !== 0) throw new Error(`The C compiler failed on ${output}`);
}

/** Builds helper and decoder below `root`. */
export async function build(root: string): Promise<void> {
  if (readFileSync(join(root, "native/generated/operations.h"), "utf8") !== generateHeader()) {
    throw new Error("native/generated/operations.h is stale: run node build/scripts/generate-wire.js");
  }
  mkdirSync(join(root, "dist"), { recursive: true });
  mkdirSync(join(root, "build/native"), { recursive: true });
  const sources = readdirSync(join(root, "native"))
    .filter((name) => name.endsWith(".c"))
    .map((name) => `native/${name}`);
  compile(root, sources, "dist/pycri-helper", [...COMPILER_FLAGS, ...LINKER_FLAGS]);
  compile(root, ["native/plan.c", "native/testing/decode_plan.c"], "build/native/decode-plan", COMPILER_FLAGS);
}
