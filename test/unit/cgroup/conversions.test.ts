/**
 * The arithmetic of limits: known values from the kernel's and the peers' documentation, and the properties that keep a
 * limit from starving others or vanishing (monotonicity, no overflow, round trips).
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  bandwidthCpus,
  bandwidthFromCpus,
  checkBlkioWeight,
  cpuSharesFromWeight,
  cpuWeightFromShares,
  formatCpuMax,
  formatInteger,
  formatLimit,
  ioWeightFromBlkio,
  parseCpuMax,
  parseIdList,
  parseLimit,
  resolveBandwidth,
  swapFromTotal,
  totalFromSwap,
} from "../../../src/cgroup/conversions.ts";

const invalid = { name: "RuntimeError", code: "INVALID_SPEC" };
/** Byte counts a Spec can hold exactly. */
const bytes = (): fc.Arbitrary<number> => fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

describe("limit values", () => {
  it("are written in full digits, whatever their size", () => {
    assert.equal(formatInteger(1e15), "1000000000000000");
    assert.equal(formatInteger(2 ** 62), "4611686018427387904");
  });

  it("are unlimited below zero and at the page counter's ceiling", () => {
    assert.equal(formatLimit(-1), "max");
    assert.equal(formatLimit(9_223_372_036_854_771_712), "max");
    assert.equal(formatLimit(2 ** 63), "max");
    assert.equal(formatLimit(0), "0");
  });

  it("come back from a v2 and a v1 file", () => {
    assert.equal(parseLimit("max\n"), Infinity);
    assert.equal(parseLimit("9223372036854771712\n"), Infinity);
    assert.equal(parseLimit("-1\n"), Infinity);
    assert.equal(parseLimit("67108864\n"), 67_108_864);
    assert.throws(() => parseLimit(""), /not a cgroup limit: ""/);
    assert.throws(() => parseLimit("12x"), /not a cgroup limit: "12x"/);
  });

  it("survive the round trip", () => {
    fc.assert(fc.property(bytes(), (limit) => parseLimit(formatLimit(limit)) === limit));
  });

  it("never contain anything but digits, so that no exponent reaches the kernel", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 80, noNaN: true }).map(Math.floor), (limit) =>
        /^(max|\d+)$/.test(formatLimit(limit)),
      ),
    );
  });
});

describe("cpu.shares and cpu.weight", () => {
  it("map the ends and the defaults of both scales onto each other", () => {
    assert.deepEqual([2, 1024, 262_144].map(cpuWeightFromShares), [1, 100, 10_000]);
  });

  it("clamp as the kernel clamps shares", () => {
    assert.deepEqual([0, 1, 1_000_000].map(cpuWeightFromShares), [1, 1, 10_000]);
  });

  it("give more weight, never less, for more shares: every value", () => {
    let previous = 0;
    for (let shares = 2; shares <= 262_144; shares++) {
      const weight = cpuWeightFromShares(shares);
      assert.ok(weight >= previous && weight >= 1 && weight <= 10_000, `shares ${shares} → ${weight}`);
      previous = weight;
    }
  });

  it("invert to shares that stand for no more than the weight, and for all of it where the scale allows", () => {
    for (let weight = 1; weight <= 10_000; weight++) {
      const shares = cpuSharesFromWeight(weight);
      assert.ok(cpuWeightFromShares(shares) <= weight, `weight ${weight} → ${shares}`);
      if (shares < 262_144) assert.ok(cpuWeightFromShares(shares + 1) > weight, `weight ${weight} → ${shares}`);
    }
  });
});

describe("block I/O weights", () => {
  it("map linearly", () => {
    assert.deepEqual([10, 500, 1000].map(ioWeightFromBlkio), [1, 4950, 10_000]);
  });

  it("are refused outside their range", () => {
    for (const weight of [9, 1001, 0.5, NaN]) assert.throws(() => checkBlkioWeight(weight), invalid);
  });

  it("grow strictly", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 999 }),
        (weight) => ioWeightFromBlkio(weight) < ioWeightFromBlkio(weight + 1),
      ),
    );
  });
});

describe("CPU bandwidth", () => {
  it("writes cpu.max", () => {
    assert.equal(formatCpuMax(resolveBandwidth({ quota: 50_000, period: 100_000 })), "50000 100000");
    assert.equal(formatCpuMax(resolveBandwidth({ quota: -1 })), "max 100000");
    assert.equal(formatCpuMax(resolveBandwidth({ quota: 0, period: 0 })), "max 100000");
  });

  it("keeps the half that was not asked for", () => {
    const present = { quota: 20_000, period: 50_000 };
    assert.deepEqual(resolveBandwidth({ quota: 10_000 }, present), { quota: 10_000, period: 50_000 });
    assert.deepEqual(resolveBandwidth({ period: 25_000 }, present), { quota: 20_000, period: 25_000 });
  });

  it("refuses what the kernel would refuse", () => {
    for (const asked of [{ period: 999 }, { period: 1_000_001 }, { quota: 999 }, { quota: 1e17 }, { quota: 1500.5 }]) {
      assert.throws(() => resolveBandwidth(asked), invalid, JSON.stringify(asked));
    }
    assert.throws(() => bandwidthFromCpus(0.001), invalid);
    assert.throws(() => bandwidthFromCpus(0), invalid);
  });

  it("round-trips through cpu.max", () => {
    const quota = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1000, max: Number.MAX_SAFE_INTEGER }));
    const bandwidth = fc
      .tuple(quota, fc.integer({ min: 1000, max: 1_000_000 }))
      .map(([quota, period]) => ({ quota, period }));
    fc.assert(fc.property(bandwidth, (value) => assert.deepEqual(parseCpuMax(formatCpuMax(value)), value)));
  });

  it("gives --cpus to within a microsecond of a period, and more for more", () => {
    const cpus = fc.double({ min: 0.01, max: 4096, noNaN: true });
    fc.assert(
      fc.property(cpus, cpus, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const granted = bandwidthCpus(bandwidthFromCpus(low));
        assert.ok(Math.abs(granted - low) <= 0.5 / 100_000 + 1e-9);
        assert.ok(granted <= bandwidthCpus(bandwidthFromCpus(high)));
      }),
    );
  });
});

describe("swap", () => {
  it("is what the sum leaves above the memory limit", () => {
    assert.equal(swapFromTotal(300, 100), 200);
    assert.equal(swapFromTotal(100, 100), 0);
    assert.equal(swapFromTotal(-1, 100), -1);
    assert.equal(swapFromTotal(-1, undefined), -1);
    assert.equal(swapFromTotal(0, 100), undefined);
    assert.equal(swapFromTotal(undefined, 100), undefined);
  });

  it("is refused without a memory limit, or when the sum is smaller", () => {
    for (const memory of [undefined, 0, -1, Infinity]) assert.throws(() => swapFromTotal(100, memory), invalid);
    assert.throws(() => swapFromTotal(99, 100), invalid);
  });

  it("never allows more than the sum, and adds up to it", () => {
    fc.assert(
      fc.property(bytes(), bytes(), (a, b) => {
        const [memory, total] = [Math.min(a, b), Math.max(a, b)];
        const swap = swapFromTotal(total, memory);
        assert.ok(swap !== undefined && swap >= 0 && swap <= total);
        assert.equal(totalFromSwap(swap, memory), total);
      }),
    );
  });
});

describe("CPU lists", () => {
  it("expand", () => {
    assert.deepEqual(parseIdList("0-2,5\n"), [0, 1, 2, 5]);
    assert.deepEqual(parseIdList("3,1,1-2"), [1, 2, 3]);
    assert.deepEqual(parseIdList("\n"), []);
  });

  it("are refused when malformed", () => {
    for (const text of ["a", "2-1", "1-", "-1", "1,,2", "1;2", "0-999999", "0 1"]) {
      assert.throws(() => parseIdList(text), invalid, text);
    }
  });
});
