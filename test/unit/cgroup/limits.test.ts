/** `linux.resources` as files of cgroup v2 and v1, in the order in which the kernel takes them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { CgroupInterface, LimitWrites } from "../../../src/cgroup/limit-writes.ts";
import { v1LimitWrites } from "../../../src/cgroup/v1-limits.ts";
import { v2LimitWrites } from "../../../src/cgroup/v2-limits.ts";
import type { LinuxResources } from "../../../src/oci/linux-resources.ts";

const invalid = { name: "RuntimeError", code: "INVALID_SPEC" };
const everything: CgroupInterface = {
  controllers: new Set(["memory", "cpu", "cpuset", "pids", "io", "blkio", "hugetlb", "rdma", "freezer"]),
  hasFile: () => true,
};
const nothing: CgroupInterface = { controllers: new Set(), hasFile: () => false };

function lines({ writes, unsupported }: LimitWrites): readonly string[] {
  assert.deepEqual(unsupported, []);
  return writes.map(({ file, value }) => `${file} ${value}`);
}

const v2 = (resources: LinuxResources): readonly string[] => lines(v2LimitWrites(resources, everything));
const v1 = (resources: LinuxResources): readonly string[] => lines(v1LimitWrites(resources, everything));

describe("cgroup v2", () => {
  it("translates memory", () => {
    assert.deepEqual(v2({ memory: { limit: 100, swap: 150, reservation: 50 } }), [
      "memory.swap.max 50",
      "memory.max 100",
      "memory.low 50",
    ]);
    assert.deepEqual(v2({ memory: { limit: -1, swap: -1 } }), ["memory.swap.max max", "memory.max max"]);
    assert.deepEqual(v2({ memory: { limit: 0 } }), []);
  });

  it("takes the limit in force when only the sum of memory and swap changes", () => {
    const { writes } = v2LimitWrites({ memory: { swap: 150 } }, everything, {
      memory: 100,
      bandwidth: { quota: Infinity, period: 100_000 },
    });
    assert.deepEqual(writes, [{ controller: "memory", file: "memory.swap.max", value: "50" }]);
  });

  it("translates CPU time", () => {
    assert.deepEqual(v2({ cpu: { shares: 1024, quota: 50_000, burst: 10_000, cpus: "0-1", mems: "0" } }), [
      "cpu.weight 100",
      "cpu.max 50000 100000",
      "cpu.max.burst 10000",
      "cpuset.cpus 0-1",
      "cpuset.mems 0",
    ]);
  });

  it("leaves idle before it weighs, and does not weigh what is idle", () => {
    assert.deepEqual(v2({ cpu: { idle: 0, shares: 2 } }), ["cpu.idle 0", "cpu.weight 1"]);
    assert.deepEqual(v2({ cpu: { idle: 1, shares: 2 } }), ["cpu.idle 1"]);
  });

  it("gathers a device's throttles on one line of io.max", () => {
    const device = { major: 8, minor: 0 };
    assert.deepEqual(
      v2({
        blockIO: {
          weight: 1000,
          weightDevice: [{ ...device, weight: 10 }],
          throttleReadBpsDevice: [{ ...device, rate: 1_048_576 }],
          throttleWriteIOPSDevice: [
            { ...device, rate: 0 },
            { major: 8, minor: 16, rate: 5 },
          ],
        },
      }),
      ["io.weight default 10000", "io.weight 8:0 1", "io.max 8:0 rbps=1048576 wiops=max", "io.max 8:16 wiops=5"],
    );
  });

  it("uses BFQ's own weight where the kernel has no other", () => {
    const cgroup: CgroupInterface = { ...everything, hasFile: (name) => name === "io.bfq.weight" };
    assert.deepEqual(lines(v2LimitWrites({ blockIO: { weight: 500 } }, cgroup)), ["io.bfq.weight default 500"]);
  });

  it("limits tasks, and takes the limit off for anything below one", () => {
    assert.deepEqual(v2({ pids: { limit: 10 } }), ["pids.max 10"]);
    assert.deepEqual(v2({ pids: { limit: -1 } }), ["pids.max max"]);
  });

  it("limits huge pages and their reservations", () => {
    assert.deepEqual(v2({ hugepageLimits: [{ pageSize: "2MB", limit: 4_194_304 }] }), [
      "hugetlb.2MB.max 4194304",
      "hugetlb.2MB.rsvd.max 4194304",
    ]);
    assert.throws(() => v2({ hugepageLimits: [{ pageSize: "../x", limit: 1 }] }), invalid);
  });

  it("writes unified keys verbatim, line by line, last", () => {
    assert.deepEqual(
      v2({ memory: { limit: 5 }, unified: { "memory.high": "4", "io.max": "8:0 rbps=1\n8:16 rbps=2\n" } }),
      ["memory.max 5", "memory.high 4", "io.max 8:0 rbps=1", "io.max 8:16 rbps=2"],
    );
  });

  it("refuses unified keys that leave the directory, or are no limits", () => {
    for (const key of [
      "../memory.max",
      "memory/max",
      "memory",
      "cgroup.procs",
      "cgroup.subtree_control",
      "cgroup.kill",
      "",
    ]) {
      assert.throws(() => v2({ unified: { [key]: "1" } }), invalid, key);
    }
  });

  it("names every limit whose controller is missing", () => {
    const { writes, unsupported } = v2LimitWrites(
      { memory: { limit: 1 }, cpu: { shares: 2, cpus: "0" }, pids: { limit: 1 }, unified: { "io.max": "8:0 rbps=1" } },
      nothing,
    );
    assert.deepEqual(writes, []);
    assert.deepEqual(
      unsupported.map(({ limit }) => limit),
      ["memory.limit", "cpu.shares", "cpu.cpus", "pids.limit", "unified.io.max"],
    );
  });

  it("says what v2 has no counterpart for", () => {
    const { unsupported } = v2LimitWrites(
      {
        memory: { disableOOMKiller: true, swappiness: 10, kernelTCP: 1 },
        cpu: { realtimeRuntime: 1 },
        network: { classID: 1 },
      },
      everything,
    );
    assert.deepEqual(
      unsupported.map(({ limit }) => limit),
      ["memory.disableOOMKiller", "memory.swappiness", "memory.kernelTCP", "cpu.realtimeRuntime", "network.classID"],
    );
  });

  it("refuses a burst above the quota", () => {
    assert.throws(() => v2({ cpu: { quota: 10_000, burst: 10_001 } }), invalid);
  });
});

describe("cgroup v1", () => {
  it("translates memory, the narrower limit first in a new cgroup", () => {
    assert.deepEqual(
      v1({ memory: { limit: 100, swap: 150, reservation: 50, swappiness: 0, disableOOMKiller: true } }),
      [
        "memory.limit_in_bytes 100",
        "memory.memsw.limit_in_bytes 150",
        "memory.soft_limit_in_bytes 50",
        "memory.swappiness 0",
        "memory.oom_control 1",
      ],
    );
  });

  it("raises the sum before the memory limit that would exceed it", () => {
    const present = { memory: 100, total: 150, bandwidth: { quota: Infinity, period: 100_000 } };
    const raised = v1LimitWrites({ memory: { limit: 200, swap: 300 } }, everything, present);
    assert.deepEqual(lines(raised), ["memory.memsw.limit_in_bytes 300", "memory.limit_in_bytes 200"]);
    const lowered = v1LimitWrites({ memory: { limit: 50, swap: 60 } }, everything, present);
    assert.deepEqual(lines(lowered), ["memory.limit_in_bytes 50", "memory.memsw.limit_in_bytes 60"]);
    const lifted = v1LimitWrites({ memory: { limit: -1, swap: -1 } }, everything, present);
    assert.deepEqual(lines(lifted), ["memory.memsw.limit_in_bytes -1", "memory.limit_in_bytes -1"]);
  });

  it("keeps memory at or below the sum at every step of an update", () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 1, max: 1e12 })).map(([a, b]) => ({
      memory: Math.min(a, b),
      total: Math.max(a, b),
    }));
    fc.assert(
      fc.property(pair, pair, (from, to) => {
        const state = { ...from };
        const bandwidth = { quota: Infinity, period: 100_000 };
        const resources = { memory: { limit: to.memory, swap: to.total } };
        for (const { file, value } of v1LimitWrites(resources, everything, { ...from, bandwidth }).writes) {
          state[file === "memory.limit_in_bytes" ? "memory" : "total"] = Number(value);
          assert.ok(state.memory <= state.total);
        }
        assert.deepEqual(state, to);
      }),
    );
  });

  it("keeps the CPU ratio at or below the larger of old and new at every step of an update", () => {
    const bandwidth = fc
      .tuple(fc.integer({ min: 1000, max: 1e9 }), fc.integer({ min: 1000, max: 1_000_000 }))
      .map(([quota, period]) => ({ quota, period }));
    fc.assert(
      fc.property(bandwidth, bandwidth, (from, to) => {
        const state = { ...from };
        const bound = Math.max(from.quota / from.period, to.quota / to.period);
        const present = { memory: Infinity, total: Infinity, bandwidth: from };
        for (const { file, value } of v1LimitWrites({ cpu: to }, everything, present).writes) {
          state[file === "cpu.cfs_quota_us" ? "quota" : "period"] = Number(value);
          assert.ok(state.quota / state.period <= bound);
        }
        assert.deepEqual(state, to);
      }),
    );
  });

  it("translates the other controllers", () => {
    const device = { major: 8, minor: 0 };
    assert.deepEqual(
      v1({
        cpu: { shares: 512, quota: 50_000, cpus: "0", mems: "0" },
        pids: { limit: 5 },
        blockIO: { weight: 10, throttleWriteBpsDevice: [{ ...device, rate: 4096 }] },
        hugepageLimits: [{ pageSize: "1GB", limit: -1 }],
      }),
      [
        "cpu.shares 512",
        "cpu.cfs_period_us 100000",
        "cpu.cfs_quota_us 50000",
        "cpuset.cpus 0",
        "cpuset.mems 0",
        "pids.max 5",
        "blkio.weight 10",
        "blkio.throttle.write_bps_device 8:0 4096",
        "hugetlb.1GB.limit_in_bytes -1",
        "hugetlb.1GB.rsvd.limit_in_bytes -1",
      ],
    );
  });

  it("refuses unified keys by name", () => {
    const { writes, unsupported } = v1LimitWrites({ unified: { "memory.high": "1" } }, everything);
    assert.deepEqual(writes, []);
    assert.deepEqual(unsupported, [
      { limit: "unified.memory.high", reason: "this host's controllers are on cgroup v1" },
    ]);
  });
});

describe("both versions", () => {
  const limit = fc.option(fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined });

  it("never drop a limit: it is written or named as unsupported", () => {
    fc.assert(
      fc.property(limit, limit, fc.subarray(["memory", "pids"]), (memory, pids, controllers) => {
        const resources: LinuxResources = {
          ...(memory === undefined ? {} : { memory: { limit: memory } }),
          ...(pids === undefined ? {} : { pids: { limit: pids } }),
        };
        const expected = Number(memory !== undefined && memory !== 0) + Number(pids !== undefined);
        const cgroup: CgroupInterface = { controllers: new Set(controllers), hasFile: () => true };
        for (const { writes, unsupported } of [v1LimitWrites(resources, cgroup), v2LimitWrites(resources, cgroup)]) {
          assert.equal(writes.length + unsupported.length, expected);
        }
      }),
    );
  });
});
