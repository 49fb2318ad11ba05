import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RuntimeError } from "../../../src/errors.ts";
import type { Linux, LinuxIdMapping } from "../../../src/oci/spec.ts";
import type { HostFacts, SubordinateRange } from "../../../src/plan/host-facts.ts";
import {
  allocateRange,
  buildIdMappings,
  isMapped,
  mayCallSetgroups,
  planIdMappings,
  setupIds,
  toContainerId,
} from "../../../src/plan/id-mappings.ts";
import type { UserNamespaceMode } from "../../../src/plan/run-request.ts";
import { refuses } from "./errors.ts";
import { anna, annaAlone, root } from "./made-up-host.ts";

const NONE = { uid: [], gid: [] };

function lines(mappings: readonly LinuxIdMapping[]): readonly string[] {
  return mappings.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`);
}

function uids(mode: UserNamespaceMode, facts: HostFacts): readonly string[] {
  return lines(buildIdMappings(mode, facts, NONE).uidMappings);
}

function linuxOf(mode: UserNamespaceMode, facts: HostFacts): Linux {
  const { uidMappings, gidMappings } = buildIdMappings(mode, facts, NONE);
  return { namespaces: [{ type: "user" }], uidMappings, gidMappings };
}

const cases: readonly (readonly [string, UserNamespaceMode, HostFacts, readonly string[]])[] = [
  ["the caller is root, its subordinate ids follow", { kind: "default" }, anna, ["0:1000:1", "1:100000:65536"]],
  ["single maps the caller alone", { kind: "single" }, anna, ["0:1000:1"]],
  [
    "keep-id splits the subordinate ids around the caller",
    { kind: "keep-id" },
    anna,
    ["0:100000:1000", "1000:1000:1", "1001:101000:64536"],
  ],
  [
    "keep-id:uid= puts the caller elsewhere",
    { kind: "keep-id", uid: 5, gid: 5 },
    anna,
    ["0:100000:5", "5:1000:1", "6:100005:65531"],
  ],
  [
    "keep-id above the number of subordinate ids leaves a hole",
    { kind: "keep-id", uid: 70_000 },
    anna,
    ["0:100000:65536", "70000:1000:1"],
  ],
  ["keep-id of uid 0 is the default", { kind: "keep-id", uid: 0, gid: 0 }, anna, ["0:1000:1", "1:100000:65536"]],
  ["nomap leaves the caller out", { kind: "nomap" }, anna, ["0:100000:65536"]],
  ["auto takes 1024 ids", { kind: "auto" }, anna, ["0:100000:1024"]],
  ["auto:size= takes that many", { kind: "auto", size: 7 }, anna, ["0:100000:7"]],
  ["without newuidmap only the caller is mapped", { kind: "default" }, annaAlone, ["0:1000:1"]],
  ["keep-id without newuidmap keeps the caller's id", { kind: "keep-id" }, annaAlone, ["1000:1000:1"]],
  ["auto for root without subordinate ids takes none of the host's users", { kind: "auto" }, root, ["0:524288:1024"]],
  [
    "root may name every id of its own namespace",
    { kind: "explicit", uidMappings: [{ containerID: 0, hostID: 200_000, size: 65_536 }], gidMappings: [] },
    root,
    ["0:200000:65536"],
  ],
  ["root without subordinate ids maps 65536 ids to themselves", { kind: "default" }, root, ["0:0:65536"]],
  [
    "root with subordinate ids uses those",
    { kind: "default" },
    { ...root, subuid: [{ start: 200_000, count: 10 }] },
    ["0:0:1", "1:200000:10"],
  ],
  [
    "root in a namespace of few ids maps those",
    { kind: "default" },
    {
      ...root,
      uidMap: [
        { inside: 0, outside: 1000, size: 1 },
        { inside: 1, outside: 100_000, size: 99 },
      ],
    },
    ["0:0:100"],
  ],
  [
    "subordinate ids that the caller's own namespace lacks are left out",
    { kind: "default" },
    { ...anna, uidMap: [{ inside: 0, outside: 0, size: 100_100 }] },
    ["0:1000:1", "1:100000:100"],
  ],
  [
    "overlapping grants are used once, and never the caller's own id",
    { kind: "default" },
    {
      ...anna,
      subuid: [
        { start: 999, count: 3 },
        { start: 1001, count: 2 },
      ],
    },
    ["0:1000:1", "1:999:1", "2:1001:2"],
  ],
  [
    "explicit maps are taken as they are, neighbours joined",
    {
      kind: "explicit",
      uidMappings: [
        { containerID: 0, hostID: 100_000, size: 10 },
        { containerID: 10, hostID: 100_010, size: 5 },
        { containerID: 50, hostID: 1000, size: 1 },
      ],
      gidMappings: [],
    },
    anna,
    ["0:100000:15", "50:1000:1"],
  ],
];

for (const [name, mode, facts, expected] of cases) {
  test(name, () => assert.deepEqual(uids(mode, facts), expected));
}

test("a single-id map is said once, with its cause and its remedy", () => {
  assert.deepEqual(buildIdMappings({ kind: "default" }, annaAlone, NONE).warnings, [
    "only one id is mapped, because newuidmap and newgidmap are not installed. Install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora).",
  ]);
  assert.deepEqual(buildIdMappings({ kind: "default" }, { ...anna, noNewPrivileges: true }, NONE).warnings, [
    "only one id is mapped, because no_new_privs is set, under which newuidmap and newgidmap have no privilege. Start pycri without it (Kubernetes: allowPrivilegeEscalation: true; systemd: NoNewPrivileges=no).",
  ]);
  assert.deepEqual(buildIdMappings({ kind: "default" }, { ...anna, subuid: [], subgid: [] }, NONE).warnings, [
    'only one id is mapped, because /etc/subuid grants no ids to "anna". Run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 anna',
  ]);
  const toothless = { ...anna, newgidmap: { path: "/usr/bin/newgidmap", privileged: false } };
  assert.deepEqual(buildIdMappings({ kind: "default" }, toothless, NONE).warnings, [
    "only one id is mapped, because /usr/bin/newgidmap has neither its setuid bit nor its file capability. Run as root: chmod u+s /usr/bin/newgidmap",
  ]);
  assert.deepEqual(buildIdMappings({ kind: "single" }, annaAlone, NONE).warnings, []);
  assert.deepEqual(buildIdMappings({ kind: "default" }, anna, NONE).warnings, []);
});

test("modes that cannot do without subordinate ids say what is missing", () => {
  refuses(
    () => buildIdMappings({ kind: "nomap" }, { ...anna, subgid: [] }, NONE),
    "ID_NOT_GRANTED",
    '--userns nomap needs subordinate ids, and /etc/subgid grants no ids to "anna"',
    /usermod --add-subuids/,
  );
  refuses(
    () => buildIdMappings({ kind: "auto" }, annaAlone, NONE),
    "ID_NOT_GRANTED",
    "--userns auto needs subordinate ids, and newuidmap and newgidmap are not installed",
    /uidmap/,
  );
});

test("auto skips what other containers hold, and says when nothing is left", () => {
  const allocated = { uid: [{ start: 100_000, count: 1024 }], gid: [{ start: 100_500, count: 1024 }] };
  const { uidMappings, gidMappings } = buildIdMappings({ kind: "auto" }, anna, allocated);
  assert.deepEqual([...lines(uidMappings), ...lines(gidMappings)], ["0:101024:1024", "0:101524:1024"]);
  refuses(
    () => buildIdMappings({ kind: "auto", size: 65_537 }, anna, NONE),
    "ID_NOT_GRANTED",
    "Cannot find 65537 consecutive free uids for --userns auto",
    /auto:size=N/,
  );
});

function explicit(...maps: readonly (readonly [number, number, number])[]): UserNamespaceMode {
  const mappings = maps.map(([containerID, hostID, size]) => ({ containerID, hostID, size }));
  return { kind: "explicit", uidMappings: mappings, gidMappings: mappings };
}

test("an id outside the grants is named, with the grants", () => {
  refuses(
    () => buildIdMappings(explicit([0, 165_530, 10]), anna, NONE),
    "ID_NOT_GRANTED",
    'Cannot map uid 165536 ("0:165530:10"): granted are 1000, 100000-165535',
    /\/etc\/subuid/,
  );
  refuses(() => buildIdMappings(explicit([0, 0, 1]), anna, NONE), "ID_NOT_GRANTED", /^Cannot map uid 0 /);
});

test("maps that the kernel would refuse are refused before", () => {
  refuses(
    () => buildIdMappings(explicit([0, 100_000, 10], [5, 100_100, 10]), anna, NONE),
    "INVALID_ARGUMENT",
    "The uid map has the id 5 of the container twice",
  );
  refuses(
    () => buildIdMappings(explicit([0, 100_000, 10], [50, 100_009, 10]), anna, NONE),
    "INVALID_ARGUMENT",
    "The uid map has the id 100009 of the host twice",
  );
  refuses(() => buildIdMappings(explicit([0, 1000, 0]), anna, NONE), "INVALID_ARGUMENT", 'Invalid uid map "0:1000:0"');
  refuses(
    () => buildIdMappings(explicit([4_294_967_294, 100_000, 2]), anna, NONE),
    "INVALID_ARGUMENT",
    'Invalid uid map "4294967294:100000:2"',
  );
  const scattered = Array.from({ length: 341 }, (_, n) => [n * 2, 100_000 + n * 2, 1] as const);
  refuses(
    () => buildIdMappings(explicit(...scattered), anna, NONE),
    "INVALID_ARGUMENT",
    "The uid map has 341 lines, and the kernel takes 340",
  );
});

test("one of --uidmap and --gidmap speaks for both", () => {
  const mode: UserNamespaceMode = {
    kind: "explicit",
    uidMappings: [],
    gidMappings: [{ containerID: 0, hostID: 100_000, size: 5 }],
  };
  assert.deepEqual(uids(mode, anna), ["0:100000:5"]);
});

test("an ordinary user's ranges go through newuidmap and newgidmap", () => {
  assert.deepEqual(planIdMappings(linuxOf({ kind: "default" }, anna), anna), [
    {
      op: "runIdMapTools",
      uidTool: "/usr/bin/newuidmap",
      uidRanges: ["0", "1000", "1", "1", "100000", "65536"],
      gidTool: "/usr/bin/newgidmap",
      gidRanges: ["0", "1000", "1", "1", "100000", "65536"],
    },
  ]);
});

test("a single id is written without help, and setgroups is given up before gid_map", () => {
  assert.deepEqual(planIdMappings(linuxOf({ kind: "single" }, anna), anna), [
    { op: "writeChildProc", name: "uid_map", contents: "0 1000 1\n" },
    { op: "writeChildProc", name: "setgroups", contents: "deny" },
    { op: "writeChildProc", name: "gid_map", contents: "0 1000 1\n" },
  ]);
});

test("a map of one kind alone asks for one tool alone", () => {
  const linux: Linux = {
    namespaces: [{ type: "user" }],
    uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: 100_000, size: 9 }],
  };
  assert.deepEqual(planIdMappings(linux, anna), [
    { op: "writeChildProc", name: "uid_map", contents: "0 1000 1\n" },
    {
      op: "runIdMapTools",
      uidTool: "",
      uidRanges: [],
      gidTool: "/usr/bin/newgidmap",
      gidRanges: ["0", "100000", "9"],
    },
  ]);
});

test("root writes its maps itself and keeps setgroups", () => {
  const linux = linuxOf({ kind: "default" }, root);
  assert.deepEqual(planIdMappings(linux, root), [
    { op: "writeChildProc", name: "uid_map", contents: "0 0 65536\n" },
    { op: "writeChildProc", name: "gid_map", contents: "0 0 65536\n" },
  ]);
  assert.equal(mayCallSetgroups(linux, root), true);
  assert.equal(mayCallSetgroups(linuxOf({ kind: "single" }, anna), anna), false);
  assert.equal(mayCallSetgroups(linuxOf({ kind: "default" }, anna), anna), true);
});

test("a Spec whose maps need a missing tool is refused with the remedy", () => {
  refuses(
    () => planIdMappings(linuxOf({ kind: "nomap" }, anna), annaAlone),
    "HOST_UNSUPPORTED",
    "Cannot map ids: newuidmap is not installed",
    /--userns single/,
  );
  refuses(
    () => planIdMappings({ namespaces: [{ type: "user" }] }, anna),
    "INVALID_SPEC",
    "A user namespace needs linux.uidMappings and linux.gidMappings",
  );
});

test("a Spec without a user namespace writes no maps", () => {
  assert.deepEqual(planIdMappings({ namespaces: [{ type: "mount" }] }, root), []);
});

test("the set-up runs as the container's root where there is one", () => {
  assert.deepEqual(setupIds(linuxOf({ kind: "default" }, anna), anna), { uid: 0, gid: 0, change: false });
  assert.deepEqual(setupIds(linuxOf({ kind: "keep-id" }, anna), anna), { uid: 0, gid: 0, change: true });
  assert.deepEqual(setupIds(linuxOf({ kind: "auto" }, anna), anna), { uid: 0, gid: 0, change: true });
  assert.deepEqual(setupIds(linuxOf({ kind: "keep-id" }, annaAlone), annaAlone), {
    uid: 1000,
    gid: 1000,
    change: false,
  });
  refuses(
    () => setupIds(linuxOf(explicit([5, 100_000, 1]), anna), anna),
    "INVALID_ARGUMENT",
    "The uid map contains neither 0 nor the caller's own id 1000",
  );
});

const range = fc.record({ start: fc.integer({ min: 0, max: 3000 }), count: fc.integer({ min: 1, max: 800 }) });

const mode: fc.Arbitrary<UserNamespaceMode> = fc.oneof(
  fc.constant<UserNamespaceMode>({ kind: "default" }),
  fc.constant<UserNamespaceMode>({ kind: "single" }),
  fc.constant<UserNamespaceMode>({ kind: "nomap" }),
  fc.record({ kind: fc.constant("keep-id" as const), uid: fc.nat(3000), gid: fc.nat(3000) }),
  fc.record({ kind: fc.constant("auto" as const), size: fc.integer({ min: 1, max: 900 }) }),
  fc
    .array(fc.record({ containerID: fc.nat(2000), hostID: fc.nat(3000), size: fc.integer({ min: 1, max: 50 }) }), {
      minLength: 1,
      maxLength: 3,
    })
    .map((mappings): UserNamespaceMode => ({ kind: "explicit", uidMappings: mappings, gidMappings: mappings })),
);

test("no map ever has an id twice, or one outside the grants", () => {
  let built = 0;
  fc.assert(
    fc.property(
      mode,
      fc.array(range, { maxLength: 4 }),
      fc.array(range, { maxLength: 2 }),
      fc.boolean(),
      (wanted, granted, taken, privileged) => {
        const facts: HostFacts = {
          ...anna,
          capabilities: privileged ? root.capabilities : 0n,
          subuid: granted,
          subgid: granted,
          uidMap: [{ inside: 0, outside: 50_000, size: 2500 }],
          gidMap: [{ inside: 0, outside: 50_000, size: 2500 }],
        };
        let mappings: readonly LinuxIdMapping[];
        try {
          mappings = buildIdMappings(wanted, facts, { uid: taken, gid: taken }).uidMappings;
        } catch (error) {
          assert.ok(error instanceof RuntimeError, String(error));
          return;
        }
        built++;
        const container = ids(mappings, "containerID");
        const host = ids(mappings, "hostID");
        assert.equal(new Set(container).size, container.length, "a container id twice");
        assert.equal(new Set(host).size, host.length, "a host id twice");
        // The privileged may name any id of theirs, and need no grant; `auto` alone wants ids that are nobody's.
        const ungranted = privileged && (wanted.kind === "explicit" || granted.length === 0) && wanted.kind !== "auto";
        const everyOwnId = ungranted ? [{ start: 0, count: 2500 }] : [];
        for (const id of host) {
          assert.ok(id === 1000 || covers([...granted, ...everyOwnId], id), `${id} is not granted`);
          assert.ok(id < 2500, `${id} is not in the caller's own namespace`);
          if (wanted.kind === "auto") assert.ok(!covers(taken, id), `${id} is taken`);
        }
        for (const id of container) {
          assert.ok(isMapped(mappings, id));
        }
        assert.deepEqual(
          host.map((id) => toContainerId(mappings, id)),
          container,
        );
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(built > 50, `only ${built} maps were built`);
});

test("allocated ranges are first fit: nothing lower is free", () => {
  fc.assert(
    fc.property(
      fc.array(range, { minLength: 1, maxLength: 3 }),
      fc.array(range, { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
      (granted, taken, size) => {
        const [first] = granted;
        assert.ok(first !== undefined);
        const free = (id: number): boolean => covers([first], id) && !covers(taken, id);
        const fits = (start: number): boolean => Array.from({ length: size }, (_, n) => start + n).every(free);
        const expected = Array.from({ length: first.count }, (_, n) => first.start + n).find(fits);
        if (expected === undefined) return;
        assert.equal(allocateRange(granted, taken, size, "uid"), expected);
      },
    ),
  );
});

function ids(mappings: readonly LinuxIdMapping[], side: "containerID" | "hostID"): readonly number[] {
  return mappings.flatMap((mapping) => Array.from({ length: mapping.size }, (_, n) => mapping[side] + n));
}

function covers(ranges: readonly SubordinateRange[], id: number): boolean {
  return ranges.some(({ start, count }) => id >= start && id < start + count);
}

test("a map is written in lines that the caller's own map holds whole", () => {
  const own = [
    { inside: 0, outside: 1000, size: 1 },
    { inside: 1, outside: 100_000, size: 65_535 },
  ];
  const [uid, gid] = planIdMappings(
    {
      namespaces: [{ type: "user" }],
      uidMappings: [{ containerID: 0, hostID: 0, size: 65_536 }],
      gidMappings: [{ containerID: 5, hostID: 10, size: 20 }],
    },
    { ...root, uidMap: own, gidMap: own },
  );
  assert.deepEqual(
    [uid, gid].map((operation) => (operation?.op === "writeChildProc" ? operation.contents : null)),
    ["0 0 1\n1 1 65535\n", "5 10 20\n"],
  );
});
