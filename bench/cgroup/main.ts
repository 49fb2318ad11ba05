/**
 * `npm run bench:cgroup [-- ROUNDS]`: what a cgroup adds to the start of a container, for each manager: whole processes, runs with
 * and without one interleaved, medians and their ratio. Root on a host with cgroup v1 measures that manager here; the two
 * of cgroup v2 are measured in a guest (test/vm), whose system calls are slow: compare ratios, not times.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { asCaller, caller } from "../../test/support/caller.ts";
import { lackOfCgroups, openCgroupPlace } from "../../test/support/cgroups.ts";
import { repository } from "../../test/support/repository.ts";
import { busyboxRoot } from "../../test/support/root-filesystem.ts";
import { environment, installationFolder, pycriCommand, scratch } from "../../test/support/scratch.ts";

const ROUNDS = Number(process.argv[2] ?? 40);

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

function measureHere(): void {
  const { manager, flags, env } = openCgroupPlace();
  const timer = join(scratch, "timer");
  execFileSync("gcc", ["-O2", "-o", timer, join(repository, "bench/start/timer.c")]);
  const program = join(installationFolder, "dist/pycri.cjs");
  const root = busyboxRoot();
  const subjects = [
    { name: "node -e 0", argv: [pycriCommand[0], "-e", "0"] },
    { name: "pycri run, no cgroup", argv: [program, "run", root, "true"] },
    {
      name: "no cgroup, --cgroup-manager=disabled",
      argv: [program, "run", "--cgroup-manager=disabled", root, "true"],
    },
    {
      name: `${manager}, the default limit of tasks`,
      argv: [program, "run", "--pids-limit=2048", ...flags, root, "true"],
    },
    {
      name: `${manager}, five limits`,
      argv: [program, "run", "--memory=64m", "--cpus=1", "--cpu-shares=512", "--pids-limit=99", ...flags, root, "true"],
    },
  ];
  const commands = subjects.flatMap(({ argv }) => ["--", ...argv]);
  const time = (rounds: number): string =>
    execFileSync(timer, ["latency", String(rounds), ...commands], {
      ...asCaller,
      cwd: scratch,
      env: { ...environment, ...env },
      encoding: "utf8",
    });
  // Caches fill, page tables warm up.
  time(3);
  const samples = subjects.map((): number[] => []);
  for (const line of time(ROUNDS).trim().split("\n")) {
    const [index, microseconds] = line.split(" ").map(Number);
    samples[index ?? 0]?.push((microseconds ?? 0) / 1000);
  }
  const medians = samples.map(median);
  print(`The ${manager} manager as ${caller.name}, medians of ${ROUNDS} interleaved runs`);
  print(`${"".padEnd(44)}${"ms".padStart(8)}${"÷ no cgroup".padStart(14)}${"÷ node".padStart(10)}`);
  for (const [index, { name }] of subjects.entries()) {
    const ms = medians[index] ?? Number.NaN;
    const ratio = (to: number, width: number): string => (ms / (medians[to] ?? Number.NaN)).toFixed(2).padStart(width);
    print(`${name.padEnd(44)}${ms.toFixed(1).padStart(8)}${ratio(1, 14)}${ratio(0, 10)}`);
  }
}

const COPIED = [
  "package.json",
  "dist",
  "profiles",
  "build",
  "bench/start/timer.c",
  "test/support",
  "node_modules/koffi",
  "node_modules/@koromix",
];

function measureInGuest(manager: "systemd" | "cgroupfs"): void {
  const wrapper = manager === "cgroupfs" ? "systemd-run --user --scope --quiet -p Delegate=yes -- " : "";
  const { status } = spawnSync(
    "bash",
    [
      join(repository, "test/vm/run.sh"),
      ...COPIED.flatMap((path) => ["--copy", path]),
      `PYCRI_TEST_CGROUPS=${manager} ${wrapper}node build/bench/cgroup/main.js ${ROUNDS}`,
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  if (status !== 0) process.exitCode = 1;
}

const lack = lackOfCgroups();
if (lack === null) measureHere();
else print(`Nothing is measured on this host itself: ${lack}.`);
if (process.env["PYCRI_TEST_CGROUPS"] === undefined) {
  for (const manager of ["systemd", "cgroupfs"] as const) {
    print();
    measureInGuest(manager);
  }
}
