/** The counters of a cgroup, from files as kernels write them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePressure, readV1Usage, readV2Usage, type FileReader } from "../../../src/cgroup/usage.ts";

const files =
  (contents: Readonly<Record<string, string>>): FileReader =>
  (file) =>
    contents[file];

describe("cgroup v2", () => {
  const usage = readV2Usage(
    files({
      "cpu.stat":
        "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnice_usec 0\nnr_periods 10\nnr_throttled 4\nthrottled_usec 70\n",
      "memory.current": "10000\n",
      "memory.peak": "20000\n",
      "memory.max": "max\n",
      "memory.swap.current": "7\n",
      "memory.stat": "anon 3000\nfile 6000\nkernel 900\ninactive_file 4000\nactive_file 2000\n",
      "memory.events": "low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\noom_group_kill 0\n",
      "pids.current": "3\n",
      "pids.max": "2048\n",
      "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n",
      "cpu.pressure":
        "some avg10=1.50 avg60=0.20 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
    }),
  );

  it("counts CPU time in microseconds", () => {
    assert.deepEqual(usage.cpu, {
      usage: 1500,
      user: 1000,
      system: 500,
      periods: 10,
      throttledPeriods: 4,
      throttledTime: 70,
    });
  });

  it("takes the inactive cache off memory, as Docker does", () => {
    assert.deepEqual(usage.memory, {
      usage: 6000,
      total: 10_000,
      peak: 20_000,
      anon: 3000,
      file: 6000,
      kernel: 900,
      swap: 7,
      limit: null,
      oomKills: 1,
    });
  });

  it("counts tasks, devices and pressure", () => {
    assert.deepEqual(usage.pids, { current: 3, limit: 2048 });
    assert.deepEqual(usage.io, [{ device: "8:0", readBytes: 4096, writeBytes: 8192, reads: 1, writes: 2 }]);
    assert.deepEqual(usage.pressure.cpu, {
      some: { avg10: 1.5, avg60: 0.2, avg300: 0, total: 12_345 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 7 },
    });
    assert.equal(usage.pressure.memory, null);
  });

  it("is null where no controller counts", () => {
    assert.deepEqual(readV2Usage(files({})), {
      cpu: null,
      memory: null,
      pids: null,
      io: null,
      pressure: { cpu: null, memory: null, io: null },
    });
  });
});

describe("cgroup v1", () => {
  const usage = readV1Usage(
    files({
      "cpuacct.usage": "1500999\n",
      "cpuacct.stat": "user 3\nsystem 2\n",
      "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 70999\n",
      "memory.usage_in_bytes": "10000\n",
      "memory.max_usage_in_bytes": "20000\n",
      "memory.limit_in_bytes": "9223372036854771712\n",
      "memory.kmem.usage_in_bytes": "900\n",
      "memory.stat": "cache 1\ntotal_cache 6000\ntotal_rss 3000\ntotal_inactive_file 4000\ntotal_swap 7\n",
      "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
      "pids.current": "3\n",
      "pids.max": "max\n",
      "blkio.throttle.io_service_bytes_recursive":
        "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Total 12288\nTotal 12288\n",
      "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
    }),
  );

  it("comes to the same units", () => {
    assert.deepEqual(usage, {
      cpu: { usage: 1500, user: 30_000, system: 20_000, periods: 10, throttledPeriods: 4, throttledTime: 70 },
      memory: {
        usage: 6000,
        total: 10_000,
        peak: 20_000,
        anon: 3000,
        file: 6000,
        kernel: 900,
        swap: 7,
        limit: null,
        oomKills: 1,
      },
      pids: { current: 3, limit: null },
      io: [{ device: "8:0", readBytes: 4096, writeBytes: 8192, reads: 1, writes: 2 }],
      pressure: { cpu: null, memory: null, io: null },
    });
  });
});

describe("pressure", () => {
  it("knows kernels without a full line, and files that cannot be read", () => {
    assert.equal(parsePressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")?.full, null);
    assert.equal(parsePressure(undefined), null);
  });
});
