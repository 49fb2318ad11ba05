/** The managers' decisions as operations, properties and refusals. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { applyPolicy, checkCpuset, holdingMemoryLimit, limitNames } from "../../../src/cgroup/apply-policy.ts";
import { planV1Leaves, planV2Leaf } from "../../../src/cgroup/cgroup-plans.ts";
import { parseParent } from "../../../src/cgroup/open-manager.ts";
import { MONITOR_MEMORY, MONITOR_TASKS, scopeProperties } from "../../../src/cgroup/scope-properties.ts";
import { findBus } from "../../../src/cgroup/systemd-manager.ts";
import { parentOf } from "../../../src/cgroup/v2-subtree.ts";

const oom = { limit: 64 * 2 ** 20, recordFile: "/run/x/oom" };

describe("a leaf of cgroup v2", () => {
  const options = {
    directory: "/sys/fs/cgroup/a/pycri-x",
    writes: [{ controller: "memory", file: "memory.max", value: "5" }],
    hasMemory: true,
    oom,
  };

  it("exists with its limits before the container is born in it", () => {
    const plan = planV2Leaf({ ...options, bornInside: true });
    assert.deepEqual(plan.prepare, [
      { op: "makeHostDirectory", path: "/sys/fs/cgroup/a/pycri-x", mode: 0o755, mayExist: 0 },
      { op: "writeKernelFile", path: "/sys/fs/cgroup/a/pycri-x/memory.max", contents: "5" },
    ]);
    assert.equal(plan.cloneInto, "/sys/fs/cgroup/a/pycri-x");
    assert.deepEqual(plan.enter, []);
  });

  it("is entered after the clone where the kernel has no CLONE_INTO_CGROUP", () => {
    const plan = planV2Leaf({ ...options, bornInside: false });
    assert.equal(plan.cloneInto, "");
    assert.deepEqual(plan.enter, [{ op: "writeChildPid", path: "/sys/fs/cgroup/a/pycri-x/cgroup.procs", style: 0 }]);
  });

  it("is asked about out-of-memory kills before it is emptied and removed", () => {
    const plan = planV2Leaf({ ...options, bornInside: true });
    assert.deepEqual(plan.examine, [
      {
        op: "reportCounter",
        path: "/sys/fs/cgroup/a/pycri-x/memory.events",
        key: "oom_kill",
        message: "killed: out of memory, limit 64 MiB",
        recordFile: "/run/x/oom",
      },
    ]);
    assert.deepEqual(
      plan.remove.map(({ op }) => op),
      ["killCgroup", "removeCgroup"],
    );
  });

  it("is not asked where nobody counts memory", () => {
    assert.deepEqual(planV2Leaf({ ...options, bornInside: true, hasMemory: false }).examine, []);
  });
});

describe("leaves of cgroup v1", () => {
  const plan = planV1Leaves({
    directories: {
      cpu: "/c/cpu,cpuacct/x",
      cpuacct: "/c/cpu,cpuacct/x",
      cpuset: "/c/cpuset/x",
      freezer: "/c/freezer/x",
    },
    writes: [
      { controller: "cpuset", file: "cpuset.cpus", value: "1" },
      { controller: "cpu", file: "cpu.shares", value: "2" },
    ],
    cpuset: { cpus: "0-1", mems: "0" },
    oom,
  });

  it("are one for each hierarchy, also where controllers share one", () => {
    assert.deepEqual(
      plan.prepare.flatMap((operation) => (operation.op === "makeHostDirectory" ? [operation.path] : [])),
      ["/c/cpu,cpuacct/x", "/c/cpuset/x", "/c/freezer/x"],
    );
    assert.deepEqual(
      plan.enter.map((operation) => (operation.op === "writeChildPid" ? operation.path : operation.op)),
      ["/c/cpu,cpuacct/x/cgroup.procs", "/c/cpuset/x/cgroup.procs", "/c/freezer/x/cgroup.procs"],
    );
  });

  it("inherit a cpuset before their own limits narrow it", () => {
    assert.deepEqual(
      plan.prepare.flatMap((operation) =>
        operation.op === "writeKernelFile" ? [`${operation.path} ${operation.contents}`] : [],
      ),
      [
        "/c/cpuset/x/cpuset.cpus 0-1",
        "/c/cpuset/x/cpuset.mems 0",
        "/c/cpuset/x/cpuset.cpus 1",
        "/c/cpu,cpuacct/x/cpu.shares 2",
      ],
    );
  });

  it("are killed through the freezer, and removed one by one", () => {
    assert.deepEqual(plan.remove[0], { op: "killCgroup", path: "/c/cpu,cpuacct/x", freezer: "/c/freezer/x" });
    assert.equal(plan.remove.filter(({ op }) => op === "removeCgroup").length, 3);
  });
});

describe("properties of a scope", () => {
  const values = (resources: Parameters<typeof scopeProperties>[0]): Record<string, unknown> =>
    Object.fromEntries(scopeProperties(resources).map(({ name, value }) => [name, value]));

  it("leave room for the monitor, so that the leaf's limits are the ones that hold", () => {
    assert.deepEqual(values({ memory: { limit: 100 }, pids: { limit: 10 } }), {
      MemoryMax: BigInt(100 + MONITOR_MEMORY),
      TasksMax: BigInt(10 + MONITOR_TASKS),
    });
    const quota = values({ cpu: { quota: 55_555, period: 100_000 } })["CPUQuotaPerSecUSec"];
    assert.equal(quota, 560_000n);
  });

  it("never undercut the leaf, so that they cannot starve what it allows", () => {
    const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
    fc.assert(
      fc.property(
        whole(1, Number.MAX_SAFE_INTEGER),
        whole(1, 4_194_304),
        whole(1000, 1e12),
        whole(1000, 1_000_000),
        (limit, pids, quota, period) => {
          const scope = values({ memory: { limit }, pids: { limit: pids }, cpu: { quota, period } });
          assert.ok((scope["MemoryMax"] as bigint) > BigInt(limit));
          assert.ok((scope["TasksMax"] as bigint) > BigInt(pids));
          // Microseconds for each second: quota / period, compared without division.
          assert.ok((scope["CPUQuotaPerSecUSec"] as bigint) * BigInt(period) >= BigInt(quota) * 1_000_000n);
        },
      ),
    );
  });

  it("are infinite for unlimited, and absent for untouched", () => {
    const infinity = 2n ** 64n - 1n;
    assert.deepEqual(values({ memory: { limit: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } }), {
      MemoryMax: infinity,
      CPUQuotaPerSecUSec: infinity,
      TasksMax: infinity,
    });
    assert.deepEqual(values({ memory: { limit: 0 }, cpu: {} }), {});
  });

  it("carry weights, and CPUs as a bit mask", () => {
    assert.deepEqual(values({ cpu: { shares: 1024, cpus: "0,9", mems: "0" }, blockIO: { weight: 10 } }), {
      CPUWeight: 100n,
      IOWeight: 1n,
      AllowedCPUs: [1, 2],
      AllowedMemoryNodes: [1],
    });
  });
});

describe("limits that cannot be applied", () => {
  const unsupported = [{ limit: "cpu.cpus", reason: "the cpuset controller is not delegated to you" }];

  it("are an error with a way out", () => {
    assert.throws(() => applyPolicy("enabled", unsupported, "do this"), {
      code: "LIMIT_UNSUPPORTED",
      message: "Cannot apply --cpuset-cpus: the cpuset controller is not delegated to you",
      hint: "do this; --cgroups=auto applies what can be applied and warns about the rest",
    });
  });

  it("are called by their flags, each once, or by their place in the Spec", () => {
    const reason = "no";
    const limits = ["cpu.quota", "cpu.quota", "unified.memory.high", "unified.io.latency", "rdma.mlx5"];
    assert.throws(
      () =>
        applyPolicy(
          "enabled",
          limits.map((limit) => ({ limit, reason })),
          undefined,
        ),
      {
        message: "Cannot apply --cpus, --memory-high, --cgroup-conf io.latency, rdma.mlx5: no",
      },
    );
  });

  it("are one warning under --cgroups=auto", () => {
    assert.deepEqual(applyPolicy("auto", unsupported, undefined), [
      "limits not applied: --cpuset-cpus: the cpuset controller is not delegated to you",
    ]);
    assert.deepEqual(applyPolicy("auto", [], undefined), []);
  });

  it("have names when none of them can", () => {
    assert.deepEqual(
      limitNames({ memory: { limit: 1 }, cpu: { shares: 2 }, pids: { limit: 1 }, unified: { "memory.high": "1" } }),
      ["memory.limit", "cpu.shares", "pids.limit", "unified.memory.high"],
    );
    assert.deepEqual(limitNames({ devices: [{ allow: false }] }), []);
    assert.deepEqual(limitNames({ memory: { limit: -1, disableOOMKiller: false }, pids: { limit: -1 } }), []);
  });

  it("include CPUs that the parent does not have", () => {
    checkCpuset({ cpu: { cpus: "0" } }, { cpus: "0-1", mems: "0" });
    assert.throws(() => checkCpuset({ cpu: { mems: "1" } }, { cpus: "0-1", mems: "0" }), { code: "LIMIT_UNSUPPORTED" });
  });
});

describe("the memory limit that holds", () => {
  const level = (memory: number, holder = "/x") => ({ holder, memory, cpus: Infinity, pids: Infinity });

  it("is the container's or a smaller one above it, and never the host's size", () => {
    assert.equal(holdingMemoryLimit({ memory: { limit: 10 } }, [level(5, "the host"), level(20)]), 10);
    assert.equal(holdingMemoryLimit({ memory: { limit: 10 } }, [level(5)]), 5);
    assert.equal(holdingMemoryLimit({ memory: { limit: -1 } }, [level(Infinity)]), undefined);
  });
});

describe("cgroup parents", () => {
  it("are normalised and cannot lead out of the hierarchy", () => {
    assert.equal(parseParent("a//b/"), "/a/b");
    for (const parent of ["..", "/a/../b", "/", "", "./a"]) {
      assert.throws(() => parseParent(parent), { code: "INVALID_ARGUMENT" }, parent);
    }
  });

  it("are found again from the leaf that pycri moved to", () => {
    assert.equal(parentOf("/sys/fs/cgroup/a/pycri-supervisor"), "/sys/fs/cgroup/a");
    assert.equal(parentOf("/sys/fs/cgroup/a"), "/sys/fs/cgroup/a");
  });
});

describe("the bus of the user's systemd", () => {
  const facts = { uid: 1000, userName: "me" };
  const sockets =
    (...paths: string[]) =>
    (path: string): boolean =>
      paths.includes(path);

  it("is the one in the runtime directory, else the environment's, which may be another session's", () => {
    assert.deepEqual(findBus(facts, "unix:path=/x", sockets()), { address: "unix:path=/x" });
    for (const environment of [undefined, "unix:path=/x"]) {
      assert.deepEqual(findBus(facts, environment, sockets("/run/user/1000/bus")), {
        address: "unix:path=/run/user/1000/bus",
      });
    }
  });

  it("is the system's for root", () => {
    assert.deepEqual(findBus({ ...facts, uid: 0 }, "unix:path=/x", sockets("/run/dbus/system_bus_socket")), {
      address: "unix:path=/run/dbus/system_bus_socket",
    });
  });

  it("is missed with the remedy that fits", () => {
    assert.deepEqual(findBus(facts, undefined, sockets()), {
      lack: "no systemd runs for your user",
      remedy: "`loginctl enable-linger me` starts one that stays without a login",
    });
    assert.deepEqual(findBus(facts, undefined, sockets("/run/user/1000/systemd/private")), {
      lack: "your systemd has no D-Bus socket /run/user/1000/bus",
      remedy: "install dbus-user-session",
    });
  });
});
