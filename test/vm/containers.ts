/** Named containers of the guest tests, their records and their cgroups. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, outcomeOf, startPycri, type Outcome } from "../support/run.ts";
import { installationFolder, pycriCommand, runtimeDirectory } from "../support/scratch.ts";

export interface Running {
  /** Absolute path of its cgroup. */
  readonly directory: string;
  readonly unit: string;
  readonly pid: number;
  readonly monitor: number;
  /** A file of its cgroup, or of one relative to it. */
  readonly read: (file: string) => string;
  readonly end: () => Promise<Outcome>;
}

const started: ChildProcess[] = [];
// A test that failed may not have come to the end of its container.
after(() => {
  for (const child of started) child.kill("SIGKILL");
});

/** Start a container that waits, and read its record. */
export async function startWaiting(name: string, flags: readonly string[]): Promise<Running> {
  const child: ChildProcess = startPycri([
    "run",
    `--name=${name}`,
    "--rm",
    ...flags,
    busyboxRoot(),
    "sh",
    "-c",
    "echo ready; exec sleep 1000",
  ]);
  assert.ok(child.stdout !== null && child.pid !== undefined);
  const outcome = outcomeOf(child);
  started.push(child);
  await Promise.race([once(child.stdout, "data"), outcome.then(({ stderr }) => assert.fail(stderr))]);
  const record = join(runtimeDirectory, "pycri/names", name);
  // The command may have spoken before the monitor has recorded it.
  await until("the container is recorded", () => existsSync(join(record, "pid")));
  const { cgroup } = JSON.parse(readFileSync(join(record, "config.json"), "utf8")) as {
    readonly cgroup: { readonly directory: string; readonly unit?: { readonly name: string } };
  };
  return {
    directory: cgroup.directory,
    unit: cgroup.unit?.name ?? "",
    pid: Number(readFileSync(join(record, "pid"), "utf8").split(" ")[0]),
    monitor: child.pid,
    read: (file) => readFileSync(join(cgroup.directory, file), "utf8").trim(),
    end: () => {
      child.kill("SIGTERM");
      return outcome;
    },
  };
}

/** A program of its own that runs a container through the library, and prints what came of it or the hint. */
export function libraryProgram(options: Readonly<Record<string, unknown>>): readonly [string, ...string[]] {
  const script = `import { run } from ${JSON.stringify(join(installationFolder, "dist/index.js"))};
    try {
      const { exitStatus, oomKills } = await run(${JSON.stringify({ rootfs: busyboxRoot(), ...options })});
      console.log(exitStatus, oomKills);
    } catch (error) {
      console.log(error.code, error.hint);
    }`;
  return [pycriCommand[0], "--input-type=module", "-e", script];
}

/** Properties of a unit of the user's systemd. */
export async function unitProperties(
  unit: string,
  names: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await userSystemctl("show", unit, ...names.map((name) => `--property=${name}`));
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
}

/** `systemctl --user` with the session's runtime directory instead of the tests' own. */
export function userSystemctl(...words: readonly string[]): Promise<Outcome> {
  return command(["systemctl", "--user", ...words], {
    env: { XDG_RUNTIME_DIR: `/run/user/${process.getuid?.() ?? 0}` },
  });
}
