/** Containers as others see them: `ps`, `kill`, `rm`, and what a name means. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../support/kernel-test.ts";
import { descendants, until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, outcomeOf, pycri, startPycri } from "../support/run.ts";
import { runtimeDirectory } from "../support/scratch.ts";

async function startNamed(name: string, ...flags: readonly string[]): Promise<ChildProcess> {
  const script = "trap 'exit 3' USR1; echo ready; while :; do sleep 0.01; done";
  const child = startPycri(["run", `--name=${name}`, ...flags, busyboxRoot(), "sh", "-c", script]);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  return child;
}

/** What a command prints; it must end well and silently. */
async function prints(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await pycri(args);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  return stdout;
}

kernelTest("ps lists what runs, ps --all what ended, rm forgets it", async () => {
  const child = await startNamed("listed", "-l", "tier=front");
  const outcome = outcomeOf(child);
  const rows = (await prints("ps", "--format", "json")).trim().split("\n");
  assert.equal(rows.length, 1);
  const row = JSON.parse(rows[0] ?? "") as Readonly<Record<string, unknown>>;
  assert.match(String(row["ID"]), /^[0-9a-f]{12}$/);
  assert.equal(row["Image"], busyboxRoot());
  assert.equal(row["Command"], JSON.stringify("sh -c trap 'exit 3'…"));
  assert.equal(row["State"], "running");
  assert.match(String(row["Status"]), /^Up (Less than a second|\d+ seconds?)$/);
  assert.equal(row["Names"], "listed");
  assert.equal(row["Labels"], "tier=front");
  const header = (await prints("ps")).split("\n")[0];
  assert.equal(header?.replaceAll(/ {2,}/g, "|"), "CONTAINER ID|IMAGE|COMMAND|CREATED|STATUS|NAMES");

  assert.equal(await prints("kill", "-s", "USR1", "listed"), "listed\n");
  assert.equal((await outcome).status, 3);
  assert.equal(await prints("ps", "-q"), "");
  assert.match(await prints("ps", "-a", "--format", "{{.Names}} {{.Status}}"), /^listed Exited \(3\) .* ago\n$/);
  assert.equal(await prints("rm", String(row["ID"])), `${String(row["ID"])}\n`);
  assert.equal(await prints("ps", "-a", "-q"), "");
});

kernelTest("filters of one kind are alternatives, of several kinds hold together", async () => {
  for (const [name, label, script] of [
    ["web-1", "tier=front", "exit 0"],
    ["web-2", "tier=back", "exit 1"],
    ["db", "tier=back", "exit 2"],
  ] as const) {
    await pycri(["run", `--name=${name}`, "-l", label, busyboxRoot(), "sh", "-c", script]);
  }
  const names = async (...filters: readonly string[]): Promise<readonly string[]> =>
    (await prints("ps", "-a", ...filters.flatMap((filter) => ["--filter", filter]), "--format", "{{.Names}}"))
      .split("\n")
      .filter((name) => name !== "");
  assert.deepEqual(await names(), ["db", "web-2", "web-1"], "newest first");
  assert.deepEqual(await names("name=web"), ["web-2", "web-1"]);
  assert.deepEqual(await names("name=web", "label=tier=back"), ["web-2"]);
  assert.deepEqual(await names("label=tier=front", "label=tier=back", "name=db"), ["db"]);
  assert.deepEqual(await names("status=running"), []);
  assert.deepEqual(await names("status=exited", "label=tier"), ["db", "web-2", "web-1"]);
  const refused = await pycri(["ps", "--filter", "colour=blue"]);
  assert.deepEqual([refused.status, refused.stdout], [125, ""]);
  assert.match(refused.stderr, /colour=blue.*\nhint: filters are/);
  await prints("rm", "web-1", "web-2", "db");
});

kernelTest("a name stays taken until rm, which takes force for one that runs", async () => {
  const child = await startNamed("kept");
  const outcome = outcomeOf(child);
  const taken = await pycri(["run", "--name=kept", busyboxRoot(), "true"]);
  assert.equal(taken.status, 125);
  assert.match(taken.stderr, /"kept".*\nhint: .*pycri rm --force kept/);
  const refused = await pycri(["rm", "kept"]);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /"kept": it is running/);
  assert.equal(await prints("rm", "-f", "kept"), "kept\n");
  assert.equal((await outcome).status, 137);
  assert.equal((await pycri(["run", "--rm", "--name=kept", busyboxRoot(), "true"])).status, 0);
});

kernelTest("kill and rm of what is not there, or not running, say so", async () => {
  for (const verb of ["kill", "rm"]) {
    const { status, stderr } = await pycri([verb, "nobody"]);
    assert.equal(status, 125);
    assert.match(stderr, /cannot find the container "nobody"/);
  }
  await pycri(["run", "--name=ended", busyboxRoot(), "true"]);
  const { status, stderr } = await pycri(["kill", "ended"]);
  assert.equal(status, 125);
  assert.match(stderr, /"ended": it is stopped/);
  const bad = await pycri(["kill", "--signal=HANGUP", "ended"]);
  assert.match(bad.stderr, /--signal: "HANGUP"/);
  await prints("rm", "ended");
});

kernelTest("a kept container whose command does not exist leaves no record, no id file and no name", async () => {
  const file = join(runtimeDirectory, "cid");
  const failed = await pycri(["run", "--name=failed", `--cidfile=${file}`, busyboxRoot(), "no-such-command"]);
  assert.equal(failed.status, 127);
  assert.equal(await prints("ps", "-a", "-q"), "");
  assert.equal((await pycri(["run", "--rm", "--name=failed", busyboxRoot(), "true"])).status, 0);
});

kernelTest("what a crash left, monitor and janitor killed at once, is gone at the next look", async () => {
  const child = await startNamed("crashed", "--rm");
  const outcome = outcomeOf(child);
  // Stopped first, so that neither acts on the other's end.
  const guards = descendants().filter(({ name }) => name === "pycri-monitor" || name === "pycri-janitor");
  assert.equal(guards.length, 2);
  for (const { pid } of guards) process.kill(pid, "SIGSTOP");
  for (const { pid } of guards) process.kill(pid, "SIGKILL");
  await outcome;
  await until("the end of the container", () => descendants().length === 0);
  assert.equal(readdirSync(join(runtimeDirectory, "pycri/containers")).length, 1, "the crash left a record");
  assert.equal((await pycri(["run", "--rm", "--name=crashed", busyboxRoot(), "true"])).status, 0, "the name is free");
  assert.deepEqual(readdirSync(join(runtimeDirectory, "pycri/containers")), []);
});

kernelTest("a record that was never finished goes once it is old, a name that leads nowhere at once", async () => {
  const containers = join(runtimeDirectory, "pycri/containers");
  const [young, old] = ["a".repeat(64), "b".repeat(64)].map((id) => join(containers, id)) as [string, string];
  await command(["mkdir", "-p", young, old, join(runtimeDirectory, "pycri/names")]);
  await command(["touch", join(young, "lock"), join(old, "lock")]);
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(old, hourAgo, hourAgo);
  await command(["ln", "-s", `../containers/${"c".repeat(64)}`, join(runtimeDirectory, "pycri/names/nowhere")]);
  await prints("ps", "-a");
  assert.deepEqual(readdirSync(containers), ["a".repeat(64)]);
  assert.equal((await pycri(["run", "--rm", "--name=nowhere", busyboxRoot(), "true"])).status, 0);
  await command(["rm", "-r", young]);
});
