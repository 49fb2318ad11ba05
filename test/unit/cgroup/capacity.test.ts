/** Shares of what there is: percentages, undercut limits, CPU lists. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  checkIdsAvailable,
  effectiveAllowance,
  formatBytes,
  resolvePercentages,
  undercutLimits,
  type Allowance,
} from "../../../src/cgroup/capacity.ts";

const GIB = 2 ** 30;
const host: Allowance = { holder: "the host", memory: 8 * GIB, cpus: 4, pids: 32_768 };
const parent: Allowance = { holder: "/user.slice", memory: 2 * GIB, cpus: 1.5, pids: Infinity };

const finite = fc.record({
  holder: fc.constant("x"),
  memory: fc.integer({ min: 4096, max: Number.MAX_SAFE_INTEGER }),
  cpus: fc.double({ min: 0.05, max: 1024, noNaN: true }),
  pids: fc.integer({ min: 1, max: 4_194_304 }),
});
const levels = fc.array(finite, { minLength: 1, maxLength: 5 });
const percent = fc.double({ min: 0.1, max: 100, noNaN: true });

describe("allowances", () => {
  it("are the least on the way up, with whose they are", () => {
    assert.deepEqual(effectiveAllowance([host, parent]), {
      memory: { value: 2 * GIB, holder: "/user.slice" },
      cpus: { value: 1.5, holder: "/user.slice" },
      pids: { value: 32_768, holder: "the host" },
    });
  });

  it("never grow by another level", () => {
    fc.assert(
      fc.property(levels, finite, (some, more) => {
        const [before, after] = [effectiveAllowance(some), effectiveAllowance([...some, more])];
        for (const key of ["memory", "cpus", "pids"] as const) assert.ok(after[key].value <= before[key].value);
      }),
    );
  });
});

describe("percentages", () => {
  it("are taken of the effective values", () => {
    assert.deepEqual(resolvePercentages({ percent: { memory: 50, cpus: 50, pids: 10 } }, [host, parent]), {
      memory: GIB,
      cpuQuota: 75_000,
      cpuPeriod: 100_000,
      pidsLimit: 3276,
    });
  });

  it("never exceed what there is, and grow with it", () => {
    fc.assert(
      fc.property(levels, percent, percent, (some, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((memory) =>
          resolvePercentages({ percent: { memory } }, some),
        );
        const { value } = effectiveAllowance(some).memory;
        assert.ok((low?.memory ?? NaN) <= (high?.memory ?? NaN));
        assert.ok((high?.memory ?? NaN) <= value && (low?.memory ?? NaN) >= 4096);
      }),
    );
  });

  it("of processors and tasks never exceed what there is either, and grow with the percentage", () => {
    fc.assert(
      fc.property(levels, percent, percent, (some, a, b) => {
        const allowance = effectiveAllowance(some);
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((share) =>
          resolvePercentages({ percent: { pids: share } }, some),
        );
        assert.ok((low?.pidsLimit ?? NaN) <= (high?.pidsLimit ?? NaN));
        assert.ok((high?.pidsLimit ?? NaN) <= allowance.pids.value && (low?.pidsLimit ?? NaN) >= 1);
        const [less, more] = [Math.min(a, b), Math.max(a, b)].map(
          (share) =>
            (allowance.cpus.value * share) / 100 >= 0.01 && resolvePercentages({ percent: { cpus: share } }, some),
        );
        if (!less || !more) return;
        const cpus = ({ cpuQuota = NaN, cpuPeriod = NaN }): number => cpuQuota / cpuPeriod;
        assert.ok(cpus(less) <= cpus(more));
        assert.ok(
          cpus(more) <= allowance.cpus.value * (1 + Number.EPSILON),
          `${cpus(more)} of ${allowance.cpus.value}`,
        );
      }),
    );
  });

  it("of all that add up to at most 100 hand out at most all of it", () => {
    const split = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(split, fc.integer({ min: 4096 * 1000, max: Number.MAX_SAFE_INTEGER }), (parts, memory) => {
        const total = parts.reduce((sum, part) => sum + part, 0);
        const level = { ...host, memory };
        const granted = parts
          .map((part) => resolvePercentages({ percent: { memory: (part / total) * 100 } }, [level]).memory ?? NaN)
          .reduce((sum, bytes) => sum + bytes, 0);
        assert.ok(granted <= memory, `${granted} of ${memory}`);
      }),
    );
  });

  it("are refused outside ]0, 100] and where nothing bounds the whole", () => {
    for (const memory of [0, -1, 100.1, NaN]) {
      assert.throws(() => resolvePercentages({ percent: { memory } }, [host]), { code: "INVALID_ARGUMENT" });
    }
    assert.throws(() => resolvePercentages({ percent: { pids: 5 } }, [parent]), { code: "LIMIT_UNSUPPORTED" });
  });

  it("leave absolute limits alone", () => {
    const request = { memory: 5, cpuShares: 2 };
    assert.equal(resolvePercentages(request, [host]), request);
  });
});

describe("limits above what the parent allows", () => {
  it("are named with the value that holds", () => {
    const resources = { memory: { limit: 4 * GIB }, cpu: { quota: 200_000 }, pids: { limit: 99_999 } };
    assert.deepEqual(undercutLimits(resources, [host, parent]), [
      "the memory limit of 4 GiB is above the 2 GiB of /user.slice, which hold",
      "the limit of 2 CPUs is above the 1.5 of /user.slice, which hold",
      "the limit of 99999 tasks is above the 32768 of the host, which hold",
    ]);
  });

  it("are not seen where there are none", () => {
    const resources = { memory: { limit: GIB }, cpu: { quota: -1 }, pids: { limit: -1 } };
    assert.deepEqual(undercutLimits(resources, [host, parent]), []);
  });
});

describe("CPU and node lists", () => {
  it("must lie within the parent's", () => {
    checkIdsAvailable("CPU", "0,2", "0-2\n");
    assert.throws(() => checkIdsAvailable("CPU", "1-4", "0-2\n"), {
      code: "LIMIT_UNSUPPORTED",
      message: "Cannot bind the container to CPU 3, 4: available are 0-2",
    });
  });
});

describe("byte counts", () => {
  it("read as people write them", () => {
    assert.deepEqual([100, 64 * 2 ** 20, 1.5 * GIB, 4097].map(formatBytes), ["100 B", "64 MiB", "1.5 GiB", "4 KiB"]);
  });
});
