/** The command's surroundings: environment, directory, ids, limits, descriptors, signals and exit statuses. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { descendants, until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { outcomeOf, pycri, startPycri } from "../support/run.ts";
import { scratch } from "../support/scratch.ts";

kernelTest("the environment is what was asked for, and nothing of the caller's", async () => {
  const file = join(scratch, "variables");
  writeFileSync(file, "# comment\nFROM_FILE=one two\nTAKEN\n");
  const output = await inside(["-e", "ONE=1", "--env=TWO=a=b", "--env", "TAKEN", `--env-file=${file}`], "env | sort", {
    env: { TAKEN: "from the caller", SECRET: "stays" },
  });
  const lines = output.split("\n").filter((line) => !/^(PWD|SHLVL|OLDPWD)=/.test(line));
  assert.deepEqual(lines, [
    "FROM_FILE=one two",
    "HOME=/root",
    `HOSTNAME=${lines.find((line) => line.startsWith("HOSTNAME="))?.slice(9)}`,
    "ONE=1",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TAKEN=from the caller",
    "TWO=a=b",
    "container=pycri",
  ]);
});

kernelTest("-w sets the working directory", async () => {
  assert.equal(await inside([], "pwd"), "/");
  assert.equal(await inside(["-w", "/var/lib"], "pwd"), "/var/lib");
});

kernelTest("-u takes numbers, names and groups of the container's own files", async () => {
  const who = "echo $(id -u):$(id -g) $(id -G)";
  assert.equal(await inside(["-u", "1234"], who), "1234:0 0");
  assert.equal(await inside(["-u", "1234:55"], who), "1234:55 55");
  assert.equal(await inside(["-u", "alice"], who), "1000:1000 1000 29");
  assert.equal(await inside(["-u", "alice:audio"], who), "1000:29 29");
  assert.equal(await inside(["-u", "alice"], "echo $HOME"), "/home/alice");
});

kernelTest("--group-add adds groups by number and name", async () => {
  assert.equal(await inside(["--group-add=77", "--group-add=audio"], "id -G"), "0 29 77");
});

kernelTest("no supplementary group of the caller's comes along", async () => {
  assert.equal(await inside([], "sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status"), "");
});

kernelTest("--umask, --ulimit, --sysctl and --oom-score-adj", async () => {
  assert.equal(await inside([], "umask"), "0022");
  assert.equal(await inside(["--umask=0077"], "umask"), "0077");
  assert.equal(
    await inside(["--ulimit=nofile=64:128", "--ulimit=core=0"], "ulimit -Sn; ulimit -Hn; ulimit -c"),
    "64\n128\n0",
  );
  assert.equal(
    await inside(
      ["--sysctl=kernel.shmmni=77", "--sysctl=net.ipv4.ip_unprivileged_port_start=80"],
      "cat /proc/sys/kernel/shmmni /proc/sys/net/ipv4/ip_unprivileged_port_start",
    ),
    "77\n80",
  );
  const own = Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
  assert.equal(await inside([`--oom-score-adj=${own + 100}`], "cat /proc/self/oom_score_adj"), String(own + 100));
});

kernelTest("stdin, stdout and stderr pass straight through", async () => {
  const { status, stdout, stderr } = await runScript(["-i"], "cat; echo problem >&2", { input: "through and through" });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "through and through", stderr: "problem\n" });
});

kernelTest("no descriptor leaks into the container", async () => {
  const output = await inside([], "exec probe descriptors");
  assert.deepEqual(
    output.split("\n").map((line) => line.split(" ")[0]),
    ["0", "1", "2"],
  );
  // A descriptor that the caller left open without close-on-exec does not arrive either.
  const { command } = await import("../support/run.ts");
  const { pycriCommand } = await import("../support/scratch.ts");
  const leaky = await command([
    "sh",
    "-c",
    'exec 7</etc/passwd 9<"$HOME"; exec "$@"',
    "sh",
    ...pycriCommand,
    "run",
    busyboxRoot(),
    "probe",
    "descriptors",
  ]);
  assert.deepEqual(
    leaky.stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    ["0", "1", "2"],
  );
});

const EXITS: readonly (readonly [what: string, command: readonly string[], status: number])[] = [
  ["the command's own", ["sh", "-c", "exit 42"], 42],
  ["zero", ["true"], 0],
  ["127 for a command that is not there", ["no-such-command"], 127],
  ["127 for a path that is not there", ["/no/such/command"], 127],
  ["126 for a file that is not executable", ["/etc/passwd"], 126],
  ["126 for a directory", ["/etc"], 126],
  ["125 for an unknown user", ["--user=nobody-knows", "true"], 125],
  ["128 and the signal's number for a signal", ["probe", "raise", "6"], 134],
];

for (const [what, argv, status] of EXITS) {
  kernelTest(`exit status: ${what}`, async () => {
    const options = argv.filter((word) => word.startsWith("--"));
    const words = argv.filter((word) => !word.startsWith("--"));
    const flags = words.includes("raise") ? ["--init"] : [];
    assert.equal((await pycri(["run", ...flags, ...options, busyboxRoot(), ...words])).status, status);
  });
}

kernelTest("COMMAND defaults to /bin/sh", async () => {
  const { status, stdout } = await pycri(["run", "-i", busyboxRoot()], { input: "echo $0; exit 3" });
  assert.deepEqual([status, stdout], [3, "/bin/sh\n"]);
});

kernelTest("--entrypoint comes before the arguments", async () => {
  const { stdout } = await pycri(["run", "--entrypoint=/bin/echo", busyboxRoot(), "a", "b"]);
  assert.equal(stdout, "a b\n");
});

/** Start a script that says when it is ready, and wait for that. */
async function startReady(flags: readonly string[], script: string): Promise<ReturnType<typeof startPycri>> {
  const child = startPycri(["run", ...flags, busyboxRoot(), "sh", "-c", script]);
  assert.ok(child.stdout !== null);
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(chunk.toString(), "ready\n");
  return child;
}

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const) {
  kernelTest(`${signal} is forwarded to a command that handles it`, async () => {
    const child = await startReady(
      [],
      `trap 'echo got; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.01; done`,
    );
    const outcome = outcomeOf(child);
    child.kill(signal);
    const { status, stdout } = await outcome;
    assert.deepEqual([status, stdout], [7, "got\n"]);
  });

  kernelTest(`${signal} ends a command that does not handle it`, async () => {
    const child = await startReady([], "echo ready; exec sleep 1000");
    // The shell before it catches SIGINT.
    await until("the shell is replaced", () => descendants(child.pid).some(({ name }) => name === "sleep"));
    const outcome = outcomeOf(child);
    child.kill(signal);
    assert.equal((await outcome).status, 128 + constants.signals[signal]);
  });
}

kernelTest("--sig-proxy=false keeps signals from the command", async () => {
  const child = await startReady(["--sig-proxy=false"], "trap 'echo got' USR1; echo ready; read line; echo $line");
  const outcome = outcomeOf(child);
  child.kill("SIGUSR1");
  child.stdin?.end("end\n");
  const { stdout } = await outcome;
  assert.doesNotMatch(stdout, /got/);
});

kernelTest("--stop-timeout: a command that ignores SIGTERM is killed", async () => {
  const child = await startReady(["--stop-timeout=1"], "trap '' TERM; echo ready; while :; do sleep 0.01; done");
  const outcome = outcomeOf(child);
  child.kill("SIGTERM");
  assert.equal((await outcome).status, 137);
});

kernelTest("Ctrl-C's signal reaches the command once", async () => {
  const child = await startReady(
    [],
    "n=0; trap 'n=$((n+1)); echo $n' INT; echo ready; while [ $n -lt 1 ]; do sleep 0.01; done; read line",
  );
  const outcome = outcomeOf(child);
  child.kill("SIGINT");
  child.stdin?.end();
  assert.equal((await outcome).stdout, "1\n");
});

kernelTest("--init is PID 1, reaps orphans and passes the status on", async () => {
  const orphans = `a=$(probe orphan); b=$(probe orphan); n=0
    while [ -e /proc/$a ] || [ -e /proc/$b ]; do n=$((n + 1)); [ $n -lt 1000 ] || exit 1; sleep 0.01; done
    echo reaped`;
  assert.equal(await inside(["--init"], "echo $$"), "2");
  assert.equal(await inside(["--init"], orphans), "reaped");
  assert.equal((await runScript(["--init"], "exit 9")).status, 9);
  assert.equal((await runScript(["--init"], "kill -TERM $$")).status, 143);
});

kernelTest("the monitor of a waiting container is one small process and its guard", async () => {
  const child = await startReady([], "echo ready; read line");
  const family = descendants();
  const sizes = family.map(({ pid }) => readFileSync(`/proc/${pid}/status`, "utf8"));
  const node = sizes.filter((status) => /^Name:\s*node/m.test(status));
  assert.deepEqual(node, [], "Node is replaced by the monitor while the container runs");
  const resident = Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
  assert.ok(resident > 0 && resident <= 1536, `the monitor has ${resident} KiB resident`);
  const outcome = outcomeOf(child);
  child.stdin?.end("\n");
  assert.equal((await outcome).status, 0);
});

kernelTest("the caller cannot be seen from inside", async () => {
  assert.equal(await inside([], "tr '\\0' '\\n' </proc/1/environ | grep -c XDG_RUNTIME_DIR || true"), "0");
  assert.equal(await inside(["-u", String(caller.uid)], "cat /proc/1/uid_map >/dev/null && echo ok"), "ok");
});
