/** Where the v1 manager looks for delegated cgroups, over directories that stand for hierarchies. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openV1Manager } from "../../../src/cgroup/v1-manager.ts";

const UID = 4242;
const host = mkdtempSync(join(tmpdir(), "pycri-v1-"));
after(() => rmSync(host, { recursive: true }));

for (const path of [`memory/pycri/${UID}`, "memory/job", "pids/job", "cpuset/job", "named"]) {
  mkdirSync(join(host, path), { recursive: true });
}
const v1 = ["memory", "pids", "cpuset", "name=systemd"].map((controller) => ({
  controller,
  mountPoint: join(host, controller === "name=systemd" ? "named" : controller),
  path: "/job",
}));

async function directories(parent: string | undefined): Promise<Readonly<Record<string, string>> | null> {
  const manager = openV1Manager({ cgroup: { layout: "v1", v1, v2: null }, uid: UID }, parent);
  if (manager === null) return null;
  const request = { containerId: "c", resources: {}, oomRecordFile: "", policy: "enabled", dryRun: true } as const;
  const { record } = await manager.prepare(request);
  assert.ok(record?.version === 1);
  return record.directories;
}

describe("cgroups delegated on v1", () => {
  it("are the one that bears the caller's id, else the caller's own; named hierarchies have no controller", async () => {
    assert.deepEqual(await directories(undefined), {
      memory: `${host}/memory/pycri/${UID}/pycri-c`,
      pids: `${host}/pids/job/pycri-c`,
    });
  });

  it("include a cpuset only when it has CPUs and memory to inherit", async () => {
    for (const list of ["cpus", "mems"]) writeFileSync(join(host, `cpuset/job/cpuset.${list}`), "0\n");
    assert.equal((await directories(undefined))?.["cpuset"], `${host}/cpuset/job/pycri-c`);
  });

  it("are only those below --cgroup-parent when it is given", async () => {
    assert.deepEqual(await directories(`/pycri/${UID}`), { memory: `${host}/memory/pycri/${UID}/pycri-c` });
    assert.equal(await directories("/nowhere"), null);
  });
});
