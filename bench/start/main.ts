/**
 * `npm run bench`: how long containers take, whole processes, beside their peers: same unprivileged user, same busybox root
 * filesystem, same namespaces; runs interleaved so that load hits all alike; medians, and ratios to the kernel's fastest
 * peer and to Node's own start. Subjects that are not installed are left out.
 *
 * crun refuses a host that mounts both cgroup versions; as root the bench therefore enters a mount namespace without version
 * 2 there, for all subjects.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asCaller, caller } from "../../test/support/caller.ts";
import { busyboxRoot } from "../../test/support/root-filesystem.ts";
import { outcomeOf, startPycri } from "../../test/support/run.ts";
import { repository } from "../../test/support/repository.ts";
import { environment, installationFolder, makeOwned, pycriCommand, scratch } from "../../test/support/scratch.ts";

const ROUNDS = Number(process.argv[2] ?? 40);
const PARALLEL = [1, 2, 4];

if (process.getuid?.() === 0 && process.env["PYCRI_BENCH_INSIDE"] !== "1") {
  const script = `awk '$3 == "cgroup" { v1 = 1 } $3 == "cgroup2" { v2 = $2 } END { if (v1 && v2) print v2 }' /proc/mounts |
    xargs -r umount && exec "$@"`;
  const result = spawnSync(
    "unshare",
    ["--mount", "sh", "-c", script, "sh", process.execPath, ...process.argv.slice(1)],
    {
      env: { ...process.env, PYCRI_BENCH_INSIDE: "1" },
      stdio: "inherit",
    },
  );
  process.exit(result.status ?? 1);
}

interface Subject {
  readonly name: string;
  readonly argv: readonly string[];
  /** Instead of `argv` where several run at once: OCI runtimes want an id for each, at the price of a shell's exec. */
  readonly parallelArgv?: readonly string[];
}

/** As a shell finds it: its first lines are sh's. */
const program = join(installationFolder, "dist/pycri.cjs");
const root = busyboxRoot();
const timer = join(scratch, "timer");
execFileSync("gcc", ["-O2", "-o", timer, join(repository, "bench/start/timer.c")]);

const installed = (program: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${program}`], { env: environment, stdio: "ignore" }).status === 0;

/** An OCI bundle of the root filesystem with a single-id map, as `runc spec --rootless` makes it. */
function makeBundle(): string {
  const bundle = makeOwned(join(scratch, "bundle"));
  execFileSync("runc", ["spec", "--rootless", "--bundle", bundle], { ...asCaller, env: environment });
  const file = join(bundle, "config.json");
  const spec = JSON.parse(readFileSync(file, "utf8")) as {
    process: { terminal: boolean; args: string[] };
    root: { path: string; readonly: boolean };
    linux: { namespaces: { type: string }[] };
  };
  spec.process.terminal = false;
  spec.process.args = ["true"];
  spec.root = { path: root, readonly: true };
  if (!spec.linux.namespaces.some(({ type }) => type === "network")) spec.linux.namespaces.push({ type: "network" });
  writeFileSync(file, JSON.stringify(spec));
  return bundle;
}

/** The helper with the plan of a run; a third word leaves room for its second argument. */
function helperAlone(name: string, ...args: readonly string[]): Subject {
  const file = join(makeOwned(join(scratch, `plan-${name.replaceAll(/\W+/g, "-")}`)), "plan");
  const script = join(repository, "build/bench/start/write-plan.js");
  execFileSync(pycriCommand[0], [script, file, ...args, root, "true"], { ...asCaller, cwd: scratch, env: environment });
  return { name, argv: [`plan:${file}`, join(installationFolder, "dist/pycri-helper"), ""] };
}

/** What bubblewrap is asked for below, in pycri's words. */
const LIKE_BWRAP = ["--userns=single", "--read-only", "--security-opt=seccomp=unconfined"];

/** The helper with the plan of a run; a third word leaves room for its second argument. */
function subjects(): readonly Subject[] {
  const list: Subject[] = [
    { name: "/bin/true", argv: ["/bin/true"] },
    { name: "node -e 0", argv: [pycriCommand[0], "-e", "0"] },
    { name: "pycri run", argv: [program, "run", root, "true"] },
    { name: "pycri run --userns=single", argv: [program, "run", "--userns=single", root, "true"] },
    { name: "pycri run, as bwrap is called", argv: [program, "run", ...LIKE_BWRAP, root, "true"] },
    helperAlone("helper alone, plan of pycri run"),
    helperAlone("helper alone, as bwrap is called", ...LIKE_BWRAP),
  ];
  if (installed("bwrap")) {
    const flags = [
      "--unshare-all",
      "--uid",
      "0",
      "--gid",
      "0",
      "--ro-bind",
      root,
      "/",
      "--proc",
      "/proc",
      "--dev",
      "/dev",
    ];
    list.push({ name: "bwrap", argv: ["bwrap", ...flags, "--die-with-parent", "true"] });
  }
  if (installed("runc")) {
    const bundle = makeBundle();
    for (const runtime of [["crun", "--cgroup-manager=disabled"], ["runc"]]) {
      const argv = [...runtime, "run", "--bundle", bundle];
      const [program = ""] = runtime;
      if (!installed(program)) continue;
      list.push({
        name: `${program} run`,
        argv: [...argv, `bench-${program}`],
        parallelArgv: ["sh", "-c", 'exec "$@" "bench-$$"', "sh", ...argv],
      });
    }
  }
  if (installed("podman")) {
    const global = ["--cgroup-manager=cgroupfs", "--events-backend=none"];
    const flags = ["--rm", "--cgroups=disabled", "--network=none", "--log-driver=none", "--rootfs"];
    list.push({ name: "podman run --rootfs", argv: ["podman", ...global, "run", ...flags, root, "true"] });
  }
  return list;
}

function time(...args: readonly string[]): string {
  return execFileSync(timer, args, { ...asCaller, cwd: scratch, env: environment, encoding: "utf8" });
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
};

/** Milliseconds of `run` in a process that has run it before. */
function libraryLatencies(): readonly number[] {
  const script = join(scratch, "library.mjs");
  writeFileSync(
    script,
    `import { run } from ${JSON.stringify(join(installationFolder, "dist/index.js"))};
     const times = [];
     for (let i = 0; i < ${ROUNDS + 5}; i++) {
       const begin = performance.now();
       const { exitStatus } = await run({ rootfs: ${JSON.stringify(root)}, command: ["true"] });
       if (exitStatus !== 0) throw new Error(String(exitStatus));
       times.push(performance.now() - begin);
     }
     process.stdout.write(JSON.stringify(times.slice(5)));`,
  );
  const output = execFileSync(pycriCommand[0], [script], {
    ...asCaller,
    cwd: scratch,
    env: environment,
    encoding: "utf8",
  });
  return JSON.parse(output) as readonly number[];
}

/** Kilobytes of a waiting container's processes outside it. */
async function residentMemory(): Promise<readonly string[]> {
  const child = startPycri(["run", root, "sh", "-c", "echo ready; read line"]);
  if (child.stdout === null) throw new Error("no stdout");
  await once(child.stdout, "data");
  const { descendants } = await import("../../test/support/leftovers.ts");
  const lines = descendants().map(({ pid, name }) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const field = (key: string): string => new RegExp(`^${key}:\\s*(\\d+)`, "m").exec(rollup)?.[1] ?? "?";
    return `${name.padEnd(24)} resident ${field("Rss").padStart(6)} KiB, proportional ${field("Pss").padStart(6)} KiB`;
  });
  const outcome = outcomeOf(child);
  child.stdin?.end("\n");
  await outcome;
  return lines;
}

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

mkdirSync(join(scratch, "results"));
const list = subjects();
const commands = list.flatMap(({ argv }) => ["--", ...argv]);
// Caches fill, page tables warm up.
time("latency", "3", ...commands);
const samples = list.map((): number[] => []);
for (const line of time("latency", String(ROUNDS), ...commands)
  .trim()
  .split("\n")) {
  const [index, microseconds] = line.split(" ").map(Number);
  samples[index ?? 0]?.push((microseconds ?? 0) / 1000);
}
const rows = list.map(({ name }, index) => ({ name, ms: median(samples[index] ?? []) }));
rows.push({ name: "library run(), warm", ms: median(libraryLatencies()) });
const reference = (name: string): number => rows.find((row) => row.name === name)?.ms ?? Number.NaN;

print(`Latency as ${caller.name}, medians of ${ROUNDS} interleaved runs`);
print(`${"".padEnd(52)}${"ms".padStart(8)}${"÷ bwrap".padStart(10)}${"÷ node".padStart(10)}`);
for (const { name, ms } of rows) {
  const ratio = (to: string): string => (ms / reference(to)).toFixed(2).padStart(10);
  print(`${name.padEnd(52)}${ms.toFixed(1).padStart(8)}${ratio("bwrap")}${ratio("node -e 0")}`);
}

print();
print(`Containers a second, ${PARALLEL.join(", ")} at once`);
for (const { name, argv, parallelArgv = argv } of list) {
  const rates = PARALLEL.map((parallel) => {
    const runs = ROUNDS;
    return (runs / (Number(time("throughput", String(runs), String(parallel), "--", ...parallelArgv)) / 1e6))
      .toFixed(0)
      .padStart(8);
  });
  print(`${name.padEnd(52)}${rates.join("")}`);
}

print();
print("Memory while a container waits");
for (const line of await residentMemory()) print(line);
