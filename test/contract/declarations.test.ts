/** The library's declarations as a consumer's compiler sees them: every file that they name is in the package. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/repository.ts";

const PROGRAM = `
import { compileProfile, type FilterOptions, type ProfileDocument, run, type RunResult, verifyProgram } from "pycri";

const document: ProfileDocument = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [] };
const options: FilterOptions = { architectures: ["x86_64"] };
const { program, measure, filter } = compileProfile({ document }, options);
export const worst: number = measure.worst + filter.architectures.length;
export const verdict: "proven" | "refuted" | "undecided" = verifyProgram({ document }, program, options).verification.verdict;
export const ended: Promise<RunResult> = run({ rootfs: "./rootfs", command: ["true"] });
// @ts-expect-error: there is no such option
compileProfile("default", { arch: "x86_64" });
`;

test("a strict program of a consumer compiles", () => {
  const folder = mkdtempSync(join(tmpdir(), "pycri-consumer-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(repository, join(folder, "node_modules/pycri"));
    symlinkSync(join(repository, "node_modules/@types"), join(folder, "node_modules/@types"));
    writeFileSync(join(folder, "program.ts"), PROGRAM);
    const compilerOptions = {
      module: "nodenext",
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
