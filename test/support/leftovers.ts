/**
 * What a container must not leave behind: processes, mounts, files. Orphans come to the test process (it is a subreaper),
 * so whatever pycri started is a descendant of it for as long as it lives, whatever sessions or namespaces it makes.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { becomeSubreaper } from "./libc.ts";

becomeSubreaper();

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly name: string;
}

function processes(): Process[] {
  const found: Process[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    let stat = "";
    try {
      stat = readFileSync(`/proc/${entry}/stat`, "latin1");
    } catch {
      continue; // It has ended since the listing.
    }
    const end = stat.lastIndexOf(")");
    const [state = "", parent = ""] = stat.slice(end + 2).split(" ");
    found.push({ pid: Number(entry), parent: Number(parent), state, name: stat.slice(stat.indexOf("(") + 1, end) });
  }
  return found;
}

/** Live descendants of `ancestor`; zombies hold nothing any more and do not count. */
export function descendants(ancestor: number = process.pid): readonly Process[] {
  const all = processes();
  const family = new Set([ancestor]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of all) {
      if (!family.has(parent) || family.has(pid)) continue;
      family.add(pid);
      grown = true;
    }
  }
  return all.filter(({ pid, state }) => family.has(pid) && pid !== ancestor && state !== "Z" && state !== "X");
}

/** Mount points of this process's namespace below `folder`. */
export function mountsBelow(folder: string): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
}

/** Every path below `folder`, sorted. */
export function pathsBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
}

/** Wait until `condition` holds, looking every few milliseconds, for ten seconds at most. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `did not happen within ten seconds: ${what}`);
    await setTimeout(5);
  }
}

/** Assert that nothing pycri started lives on. */
export async function assertNoProcesses(): Promise<void> {
  const deadline = performance.now() + 10_000;
  let left = descendants();
  while (left.length > 0 && performance.now() < deadline) {
    await setTimeout(5);
    left = descendants();
  }
  assert.deepEqual(left, [], "processes were left behind");
}
