/** What a run records while it lasts: name, id file, pid file, labels; and that a foreground run keeps none of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { pathsBelow } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, outcomeOf, pycri, startPycri } from "../support/run.ts";
import { home, runtimeDirectory } from "../support/scratch.ts";

kernelTest("--cidfile and --pidfile are written before the command runs, and name it", async () => {
  const cidFile = join(home, "cid");
  const pidFile = join(home, "pid");
  const child = startPycri([
    "run",
    `--cidfile=${cidFile}`,
    `--pidfile=${pidFile}`,
    busyboxRoot(),
    "sh",
    "-c",
    "echo ready; read line",
  ]);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  assert.match(readFileSync(cidFile, "utf8"), /^[0-9a-f]{64}$/);
  const pid = Number(readFileSync(pidFile, "utf8"));
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  assert.match(status, /^Name:\tsh$/m);
  assert.match(status, new RegExp(`^Uid:\\t${caller.uid}\\t`, "m"));
  assert.match(status, /^NSpid:\t\d+\t1$/m);
  const outcome = outcomeOf(child);
  child.stdin?.end("\n");
  assert.equal((await outcome).status, 0);
  const again = await pycri(["run", `--cidfile=${cidFile}`, busyboxRoot(), "true"]);
  assert.equal(again.status, 125, "an existing id file is refused");
  await command(["rm", "-f", cidFile, pidFile]);
});

kernelTest("a name is taken while its container runs, and free afterwards", async () => {
  const child = startPycri([
    "run",
    "--rm",
    "--name=only-one",
    "-l",
    "colour=blue",
    busyboxRoot(),
    "sh",
    "-c",
    "echo ready; read line",
  ]);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  const recorded = pathsBelow(runtimeDirectory)
    .filter((path) => path.endsWith(".json"))
    .map((path) => readFileSync(join(runtimeDirectory, path), "utf8"))
    .join("");
  assert.match(recorded, /only-one/);
  assert.match(recorded, /"colour"\s*:\s*"blue"/);
  const second = await pycri(["run", "--name=only-one", busyboxRoot(), "true"]);
  assert.equal(second.status, 125);
  assert.match(second.stderr, /only-one/);
  const outcome = outcomeOf(child);
  child.stdin?.end("\n");
  assert.equal((await outcome).status, 0);
  assert.equal((await pycri(["run", "--rm", "--name=only-one", busyboxRoot(), "true"])).status, 0);
});

kernelTest("a foreground run without a name leaves no record", async () => {
  assert.equal((await pycri(["run", busyboxRoot(), "true"])).status, 0);
  assert.deepEqual(
    pathsBelow(runtimeDirectory).filter((path) => /[0-9a-f]{12}/.test(path)),
    [],
  );
});

kernelTest("without XDG_RUNTIME_DIR a private directory serves", async () => {
  const { status, stdout } = await pycri(["run", busyboxRoot(), "echo", "ran"], {
    env: { XDG_RUNTIME_DIR: undefined, TMPDIR: home },
  });
  assert.deepEqual([status, stdout], [0, "ran\n"]);
});

kernelTest("XDG_RUNTIME_DIR that does not exist is named, not guessed around", async () => {
  const gone = join(home, "no-such-runtime-directory");
  const { status, stderr } = await pycri(["run", busyboxRoot(), "true"], { env: { XDG_RUNTIME_DIR: gone } });
  // Either a usable fallback was found, silently, or the message names the directory.
  if (status !== 0) assert.match(stderr, /no-such-runtime-directory/);
  assert.equal(existsSync(gone), false);
});
