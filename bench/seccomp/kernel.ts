/** Attaching and calling under filters, in the kernel, as an unprivileged user. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asCaller } from "../../test/support/caller.ts";
import { repository } from "../../test/support/repository.ts";
import { environment, scratch } from "../../test/support/scratch.ts";
import { least } from "./least.ts";

export interface KernelCost {
  readonly attachMicroseconds: number;
  /** Nanoseconds a call that the filter allows whatever its arguments. */
  readonly constant: number;
  /** Nanoseconds a call whose arguments the filter checks. */
  readonly checked: number;
}

export interface CheckedCall {
  readonly number: number;
  readonly argument: bigint;
}

/** Calls of each kind in one process. */
const LOOPS = 200_000;

/** The quietest runs for each program, in order; null is no filter. */
export function kernelCosts(
  programs: readonly (Uint8Array | null)[],
  { number, argument }: CheckedCall,
  rounds: number,
): readonly KernelCost[] {
  const folder = mkdtempSync(join(scratch, "kernel-"));
  chmodSync(folder, 0o755);
  const command = join(folder, "kernel");
  execFileSync("gcc", ["-O2", "-o", command, join(repository, "bench/seccomp/kernel.c")]);
  const files = programs.map((program, index) => {
    if (program === null) return "none";
    const file = join(folder, `program-${index}`);
    writeFileSync(file, program);
    return file;
  });
  const measure = (tries: number, loops: number): ((index: number, field: number) => number) => {
    const words = [tries, loops, number, argument].map(String);
    const options = { ...asCaller, cwd: folder, env: environment, encoding: "utf8" } as const;
    const samples = execFileSync(command, [...words, ...files], options)
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    return (index, field) => least(samples.filter(([of]) => of === index).map((sample) => sample[field] ?? Number.NaN));
  };
  // Attaching is quick and easily disturbed.
  const attach = measure(rounds * 50, 1);
  const calls = measure(rounds, LOOPS);
  return programs.map((_, index) => ({
    attachMicroseconds: attach(index, 1) / 1000,
    constant: calls(index, 2),
    checked: calls(index, 3),
  }));
}
