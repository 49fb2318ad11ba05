/**
 * `npm run bench:images [ROUNDS] [FOLDER]`: how long images take from archive or registry to unpacked layers, beside Podman,
 * Skopeo with umoci, and tar(1), which only unpacks and checks nothing: the limit. Same unprivileged user, everything on
 * one tmpfs, rounds interleaved so that load hits all alike; medians of wall-clock and processor time, and the peak of
 * memory from a round of its own; and that peak for layers of growing size. Subjects that are not installed are left out.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../../test/support/caller.ts";
import { startRegistry } from "../../test/support/registry.ts";
import { repository } from "../../test/support/repository.ts";
import { environment, pycriCommand } from "../../test/support/scratch.ts";
import { type Compression, type SampleImage, makeLargeLayer, makeSampleImage } from "./sample-image.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(process.argv[3] ?? "/dev/shm", "pycri-bench-"));
process.once("exit", () => {
  const removed = spawnSync("rm", ["-rf", folder], { stdio: "ignore" });
  if (removed.status !== 0) throw new Error(`cannot remove ${folder}`);
});
execFileSync("chmod", ["755", folder]);

function owned(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, caller.uid, caller.gid);
  return path;
}

const home = owned("home");
const variables = {
  ...environment,
  HOME: home,
  XDG_RUNTIME_DIR: owned("run"),
  XDG_DATA_HOME: owned("data"),
  TMPDIR: home,
};
const meter = join(folder, "meter");
execFileSync("gcc", ["-O2", "-o", meter, join(repository, "bench/images/meter.c")]);

/** A copy of Node: the proportional share of a program that others run, too, would look smaller than it is. */
const node = join(folder, "node");
copyFileSync(process.execPath, node);
const pycriProgram = [node, ...pycriCommand.slice(1)];

const installed = (program: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${program}`], { env: environment, stdio: "ignore" }).status === 0;

interface Cost {
  /** Seconds. */
  readonly wall: number;
  readonly cpu: number;
  /** MB, of all processes together. */
  readonly memory: number;
}

function measure(argv: readonly string[], what: "time" | "memory"): Cost {
  const ids = [String(caller.uid), String(caller.gid)];
  const output = execFileSync(meter, [...ids, what, "--", ...argv], {
    cwd: home,
    env: variables,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [wall = 0, cpu = 0, memory = 0] = output.split(" ").map(Number);
  return { wall: wall / 1e6, cpu: cpu / 1e6, memory: (memory * 1024) / 1e6 };
}

/** One command line, measured as a whole. */
interface Step {
  readonly task: string;
  readonly subject: string;
  readonly argv: readonly string[];
}

const shell = (script: string): readonly string[] => ["sh", "-ec", script];

function steps(image: SampleImage, compression: Compression, host: string): readonly Step[] {
  const pycri = (...args: readonly string[]): readonly string[] => [...pycriProgram, ...args];
  const remote = `${host}/sample:1`;
  const list: Step[] = [
    { task: "load", subject: "pycri load", argv: pycri("load", "-q", "-i", image.archive) },
    {
      task: "",
      subject: "",
      argv: shell(`${pycriProgram.join(" ")} tag $(${pycriProgram.join(" ")} images -q) sample`),
    },
    // Layers for another id mapping are unpacked from the stored blobs.
    {
      task: "unpack",
      subject: "pycri run, first with another id mapping",
      argv: pycri("run", "--userns", "keep-id", "sample", "/usr/bin/busybox", "true"),
    },
    { task: "delete", subject: "pycri image prune, two id mappings", argv: pycri("image", "prune", "-a") },
    { task: "pull", subject: "pycri pull", argv: pycri("pull", "-q", remote) },
    { task: "second pull", subject: "pycri pull", argv: pycri("pull", "-q", remote) },
    { task: "delete", subject: "pycri rmi", argv: pycri("rmi", remote) },
  ];
  const trees = join(home, "trees");
  const tar = (layer: string, to: string): string => `tar --${compression} -xf ${layer} -C ${to}`;
  const places = image.layers.map((layer, index) => ({ layer, to: `${trees}/${index}` }));
  const makeTrees = `mkdir ${trees} ${places.map(({ to }) => to).join(" ")}`;
  list.push(
    {
      task: "unpack",
      subject: "tar, one layer after the other",
      argv: shell(`${makeTrees}; ${places.map(({ layer, to }) => tar(layer, to)).join("; ")}`),
    },
    { task: "delete", subject: "rm -rf", argv: ["rm", "-rf", trees] },
    {
      task: "unpack",
      subject: "tar, all layers at once",
      argv: shell(`${makeTrees}; ${places.map(({ layer, to }) => `${tar(layer, to)} &`).join(" ")} wait`),
    },
    { task: "", subject: "", argv: ["rm", "-rf", trees] },
  );
  if (installed("podman")) {
    const podman = (...args: readonly string[]): readonly string[] => [
      "podman",
      "--cgroup-manager=cgroupfs",
      "--events-backend=none",
      "--storage-driver=overlay",
      `--root=${home}/podman`,
      `--runroot=${home}/podman-run`,
      ...args,
    ];
    list.push(
      { task: "load", subject: "podman load", argv: podman("load", "-q", "-i", image.archive) },
      { task: "", subject: "", argv: podman("rmi", "--all", "--force") },
      { task: "pull", subject: "podman pull", argv: podman("pull", "-q", "--tls-verify=false", remote) },
      { task: "second pull", subject: "podman pull", argv: podman("pull", "-q", "--tls-verify=false", remote) },
      { task: "delete", subject: "podman rmi", argv: podman("rmi", remote) },
    );
  }
  // umoci 0.4, which Debian has, knows no zstd.
  if (installed("skopeo") && installed("umoci") && compression === "gzip") {
    const layout = join(home, "layout");
    const unpack = `umoci unpack --rootless --image ${layout}:1 ${home}/bundle`;
    list.push(
      {
        task: "load",
        subject: "skopeo copy + umoci unpack",
        argv: shell(`skopeo copy -q oci-archive:${image.archive}:1 oci:${layout}:1; ${unpack}`),
      },
      { task: "", subject: "", argv: shell(`chmod -R u+rwX ${home}/bundle; rm -rf ${layout} ${home}/bundle`) },
      {
        task: "pull",
        subject: "skopeo copy + umoci unpack",
        argv: shell(`skopeo copy -q --src-tls-verify=false docker://${remote} oci:${layout}:1; ${unpack}`),
      },
      {
        task: "delete",
        subject: "rm -rf",
        argv: shell(`chmod -R u+rwX ${home}/bundle; rm -rf ${layout} ${home}/bundle`),
      },
    );
  }
  return list;
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
};

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

const TASKS = ["load", "pull", "unpack", "second pull", "delete"];

function report(list: readonly Step[], rounds: readonly (readonly Cost[])[], memory: readonly Cost[]): void {
  const costOf = (index: number, part: "wall" | "cpu"): number =>
    median(rounds.map((round) => round[index]?.[part] ?? 0));
  const limit = list.findIndex(({ subject }) => subject === "tar, one layer after the other");
  print(`${"".padEnd(58)}${"wall s".padStart(8)}${"CPU s".padStart(8)}${"÷ tar".padStart(8)}${"MB".padStart(8)}`);
  for (const task of TASKS) {
    for (const [index, step] of list.entries()) {
      if (step.task !== task) continue;
      const cpu = costOf(index, "cpu");
      const unpacks = ["load", "pull", "unpack"].includes(task);
      const ratio = unpacks ? (cpu / costOf(limit, "cpu")).toFixed(2) : "";
      const columns = [
        costOf(index, "wall").toFixed(2),
        cpu.toFixed(2),
        ratio,
        (memory[index]?.memory ?? 0).toFixed(0),
      ];
      print(`${task.padEnd(14)}${step.subject.padEnd(44)}${columns.map((text) => text.padStart(8)).join("")}`);
    }
  }
}

/** Megabytes of the layers whose peak of memory should be the same. */
const LAYER_SIZES = [50, 200, 800];

/** Peak of memory of a load, for one layer of each size. */
function reportFlatness(compression: Compression): void {
  const peaks = LAYER_SIZES.map((megabytes) => {
    const place = join(folder, `large-${megabytes}`);
    const { archive } = makeLargeLayer(place, compression, megabytes / 10);
    const { memory } = measure([...pycriProgram, "load", "-q", "-i", archive], "memory");
    measure([...pycriProgram, "image", "prune", "-a"], "time");
    rmSync(place, { recursive: true });
    return `${megabytes} MB: ${memory.toFixed(0)}`;
  });
  print(`memory of pycri load, MB, by the size of the only layer: ${peaks.join(", ")}`);
}

const registry = await startRegistry();
try {
  for (const compression of ["gzip", "zstd"] as const) {
    const image = makeSampleImage(join(folder, compression), compression);
    execFileSync("skopeo", [
      "copy",
      "-q",
      "--dest-tls-verify=false",
      `oci:${image.layout}:1`,
      `docker://${registry.host}/sample:1`,
    ]);
    const list = steps(image, compression, registry.host);
    const memory = list.map(({ argv }) => measure(argv, "memory"));
    const rounds = Array.from({ length: ROUNDS }, () => list.map(({ argv }) => measure(argv, "time")));
    const size = `${image.entries} entries, ${(image.plainBytes / 1e6).toFixed(0)} MB in 5 layers, ${(image.packedBytes / 1e6).toFixed(0)} MB packed`;
    print(
      `${compression}: ${size}; medians of ${ROUNDS} rounds; CPU ÷ tar: processor time to tar's, one layer after the other`,
    );
    report(list, rounds, memory);
    reportFlatness(compression);
    print();
    rmSync(join(folder, compression), { recursive: true });
  }
} finally {
  await registry.stop();
}
