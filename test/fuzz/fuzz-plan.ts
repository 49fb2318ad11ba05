/**
 * Fuzzes the plan decoder with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer for `FUZZ_SECONDS` (30), from
 * real encoded plans. Needs clang and its runtime. Ends with the fuzzer's status; an input that fails stays in
 * `build/fuzz`.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { encodePlan } from "../../src/plan/encode.ts";
import { arbitraryPlan } from "../contract/arbitrary-plan.ts";
import { repository } from "../support/repository.ts";

const folder = join(repository, "build/fuzz");
const corpus = join(folder, "corpus");
const target = join(folder, "fuzz-plan");
const SEEDS = 300;

mkdirSync(corpus, { recursive: true });
for (const plan of fc.sample(arbitraryPlan, { numRuns: SEEDS, seed: 1 })) {
  const bytes = encodePlan(plan);
  writeFileSync(join(corpus, createHash("sha1").update(bytes).digest("hex")), bytes);
}

function run(program: string, args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { cwd: folder, stdio: "inherit" });
  if (error !== undefined) throw new Error(`Cannot run "${program}": install clang and its runtime`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

run("clang", [
  "-std=gnu11",
  "-D_GNU_SOURCE",
  "-g",
  "-O1",
  "-fsanitize=fuzzer,address,undefined",
  "-fno-sanitize-recover=all",
  join(repository, "native/plan.c"),
  join(repository, "native/testing/fuzz_plan.c"),
  "-o",
  target,
]);
run(target, [
  corpus,
  `-max_total_time=${process.env["FUZZ_SECONDS"] ?? "30"}`,
  "-max_len=16384",
  "-timeout=5",
  "-print_final_stats=1",
  "-verbosity=1",
]);
