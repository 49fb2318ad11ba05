/**
 * `node build/bench/simulate/main.js [LINES]`: how long `pycri seccomp simulate --vectors -` takes for a million calls, the
 * process's start and the compilation of the profile included. Calls are drawn from the table of x86_64 and x86, with
 * arguments in decimal and hexadecimal.
 */
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { repository } from "../../test/support/repository.ts";

const LINES = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 5;

const numbers = (["x86_64", "x86"] as const).map((name) => [name, [...syscallTable(name).names.keys()]] as const);
const lines = Array.from({ length: LINES }, (_, index) => {
  const [name, calls] = numbers[index % 2] ?? ["x86_64", [0]];
  const call = calls[(index * 7919) % calls.length] ?? 0;
  return `${name} ${call} ${index % 1000} 0x${((index * 2_654_435_761) % 2 ** 32).toString(16)} 0 0 ${index % 7} 0`;
});
const input = Buffer.from(`${lines.join("\n")}\n`);

const seconds = (profile: string): number => {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`${repository}/dist/pycri.cjs`, "seccomp", "simulate", profile, "--arch", "x86_64,x86", "--vectors", "-"],
    { input, maxBuffer: 1 << 30 },
  );
  const elapsed = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(stderr.toString("utf8"));
  const answers = stdout.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
  if (answers !== LINES) throw new Error(`${answers} answers to ${LINES} lines`);
  return elapsed;
};

console.log(`${LINES} calls, ${(input.length / 1e6).toFixed(1)} MB, median of ${ROUNDS}`);
for (const profile of ["default", "baseline"]) {
  const times = Array.from({ length: ROUNDS }, () => seconds(profile)).sort((a, b) => a - b);
  const median = times[Math.floor(ROUNDS / 2)] ?? 0;
  console.log(
    `${profile.padEnd(10)} ${median.toFixed(2)} s, ${(LINES / median / 1e6).toFixed(2)} million calls a second`,
  );
}
