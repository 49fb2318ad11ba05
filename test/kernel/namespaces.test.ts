/** Which namespaces a container has of its own, its id maps in every mode, its host name and its clocks. */
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { caller } from "../support/caller.ts";
import { inside, runScript } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { until } from "../support/leftovers.ts";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { command, outcomeOf, pycri, startPycri } from "../support/run.ts";
import { pycriCommand } from "../support/scratch.ts";

const KINDS = ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup"] as const;

const LIST = `for n in ${KINDS.join(" ")}; do readlink /proc/self/ns/$n; done`;

async function namespacesInside(flags: readonly string[]): Promise<readonly string[]> {
  return (await inside(flags, LIST)).split("\n");
}

const namespacesHere = (): readonly string[] => KINDS.map((kind) => readlinkSync(`/proc/self/ns/${kind}`));

/** The kinds that the container shares with this process. */
async function shared(flags: readonly string[]): Promise<readonly string[]> {
  const there = await namespacesInside(flags);
  return namespacesHere().flatMap((name, index) => (there[index] === name ? [KINDS[index] ?? ""] : []));
}

kernelTest("every namespace is the container's own", async () => {
  assert.deepEqual(await shared([]), []);
});

for (const [flag, kind] of [
  ["--pid=host", "pid"],
  ["--ipc=host", "ipc"],
  ["--uts=host", "uts"],
  ["--net=host", "net"],
  ["--network=host", "net"],
  ["--cgroupns=host", "cgroup"],
] as const) {
  kernelTest(`${flag} shares the ${kind} namespace and no other`, async () => {
    assert.deepEqual(await shared([flag]), [kind]);
  });
}

kernelTest("two containers share no namespace", async () => {
  // The first lives on while the second is asked: the kernel gives the numbers of namespaces that are gone again.
  const first = startPycri(["run", busyboxRoot(), "sh", "-c", `${LIST}; echo ready; read line`]);
  const outcome = outcomeOf(first);
  let listed = "";
  first.stdout?.on("data", (chunk: Buffer) => (listed += chunk.toString()));
  await until("the first has listed its own", () => listed.endsWith("ready\n"));
  const one = listed.trimEnd().split("\n").slice(0, -1);
  const other = await namespacesInside([]);
  first.stdin?.end("\n");
  assert.equal((await outcome).status, 0);
  assert.equal(new Set([...one, ...other]).size, 2 * KINDS.length);
});

kernelTest("the command is PID 1 and sees its own processes only", async () => {
  assert.equal(
    await inside([], "echo $$; ls -d /proc/[0-9]* | head -n 1; ls -d /proc/[0-9]* | wc -l"),
    "1\n/proc/1\n3",
  );
});

kernelTest("--pid=host sees the host's processes", async () => {
  assert.equal(await inside(["--pid=host"], `test -d /proc/${process.pid} && echo seen`), "seen");
});

const subuid = caller.subuid ?? { start: 0, count: 0 };
const subgid = caller.subgid ?? { start: 0, count: 0 };

type MapLine = readonly [inside: number, outside: number, size: number];

async function maps(flags: readonly string[]): Promise<{ uid: MapLine[]; gid: MapLine[] }> {
  const text = await inside(flags, "cat /proc/self/uid_map; echo; cat /proc/self/gid_map");
  const [uid = [], gid = []] = text
    .split("\n\n")
    .map((block) => block.split("\n").map((line) => line.trim().split(/\s+/).map(Number) as unknown as MapLine));
  return { uid, gid };
}

kernelTest("--userns default: the caller is root, its subordinate ids follow", async () => {
  const expected = (own: number, range: typeof subuid): MapLine[] => [
    [0, own, 1],
    [1, range.start, range.count],
  ];
  assert.deepEqual(await maps([]), { uid: expected(caller.uid, subuid), gid: expected(caller.gid, subgid) });
  assert.equal(await inside([], "id -u; id -g"), "0\n0");
});

kernelTest("--userns keep-id: the caller keeps its id among its subordinate ids", async () => {
  const expected = (own: number, range: typeof subuid): MapLine[] => [
    [0, range.start, own],
    [own, own, 1],
    [own + 1, range.start + own, range.count - own],
  ];
  assert.deepEqual(await maps(["--userns=keep-id"]), {
    uid: expected(caller.uid, subuid),
    gid: expected(caller.gid, subgid),
  });
  assert.equal(await inside(["--userns=keep-id"], "id -u; id -g"), `${caller.uid}\n${caller.gid}`);
});

kernelTest("--userns keep-id:uid=,gid=: the caller gets the ids asked for", async () => {
  const expected = (inner: number, own: number, range: typeof subuid): MapLine[] => [
    [0, range.start, inner],
    [inner, own, 1],
    [inner + 1, range.start + inner, range.count - inner],
  ];
  assert.deepEqual(await maps(["--userns=keep-id:uid=200,gid=300"]), {
    uid: expected(200, caller.uid, subuid),
    gid: expected(300, caller.gid, subgid),
  });
});

kernelTest("--userns nomap: the caller's own id is not mapped", async () => {
  assert.deepEqual(await maps(["--userns=nomap"]), {
    uid: [[0, subuid.start, subuid.count]],
    gid: [[0, subgid.start, subgid.count]],
  });
});

kernelTest("--userns auto: a range of its own for each container at a time", async () => {
  const flags = ["--userns=auto:size=2000"];
  const [one, other] = await Promise.all([maps(flags), maps(flags)]);
  for (const { uid, gid } of [one, other]) {
    for (const [lines, range] of [
      [uid, subuid],
      [gid, subgid],
    ] as const) {
      assert.equal(lines.length, 1);
      const [first, outside, size] = lines[0] ?? [0, 0, 0];
      assert.deepEqual([first, size], [0, 2000]);
      assert.ok(outside >= range.start && outside + size <= range.start + range.count, `${outside} is not granted`);
    }
  }
});

kernelTest("--userns single: only the caller's id, and no setgroups(2)", async () => {
  assert.deepEqual(await maps(["--userns=single"]), { uid: [[0, caller.uid, 1]], gid: [[0, caller.gid, 1]] });
  assert.equal(await inside(["--userns=single"], "cat /proc/self/setgroups"), "deny");
  assert.equal(await inside([], "cat /proc/self/setgroups"), "allow");
});

kernelTest(
  "under no_new_privs, where newuidmap has no privilege, one id is mapped and the reason said once",
  async () => {
    const { status, stdout, stderr } = await command(
      ["setpriv", "--no-new-privs", ...pycriCommand, "run", busyboxRoot(), "cat", "/proc/self/uid_map"],
      {},
    );
    assert.deepEqual([status, stdout.trim().split(/ +/)], [0, ["0", String(caller.uid), "1"]]);
    assert.match(stderr, /^pycri: warning: only one id is mapped, because no_new_privs is set[^\n]*\n$/);
  },
);

kernelTest(
  "root, too, gets a container in a user namespace of its own",
  async () => {
    const { status, stdout, stderr } = await pycri(
      [
        "run",
        "--security-opt=seccomp=unconfined",
        "--cap-add=ALL",
        busyboxRoot(),
        "sh",
        "-c",
        "readlink /proc/self/ns/user; probe mknod",
      ],
      { asSelf: true, env: { XDG_RUNTIME_DIR: undefined } },
    );
    assert.deepEqual([status, stderr], [0, ""]);
    const [namespace, device] = stdout.trim().split("\n");
    assert.notEqual(namespace, readlinkSync("/proc/self/ns/user"));
    // CAP_MKNOD of a user namespace makes no devices; root's own would.
    assert.equal(device, "mknod EPERM");
  },
  ["root"],
);

kernelTest("--uidmap and --gidmap are taken as they are", async () => {
  const flags = [
    `--uidmap=0:${caller.uid}:1`,
    `--uidmap=10:${subuid.start + 5}:20`,
    `--gidmap=0:${caller.gid}:1`,
    `--gidmap=7:${subgid.start}:3`,
  ];
  assert.deepEqual(await maps(flags), {
    uid: [
      [0, caller.uid, 1],
      [10, subuid.start + 5, 20],
    ],
    gid: [
      [0, caller.gid, 1],
      [7, subgid.start, 3],
    ],
  });
});

kernelTest("--hostname names the container and leaves the host alone", async () => {
  const before = hostname();
  assert.equal(await inside(["--hostname=a-name"], "hostname"), "a-name");
  assert.equal(hostname(), before);
});

kernelTest("the network namespace has a loopback that is up, and nothing else", async () => {
  assert.equal(await inside([], "ls /sys/class/net"), "lo");
  assert.match(await inside([], "ip address show lo"), /<LOOPBACK,UP[\s\S]*inet 127\.0\.0\.1\/8/);
  // Refused by a living network; without one the kernel says "unreachable".
  assert.match(await inside([], "nc 127.0.0.1 9 2>&1 || true"), /Connection refused/);
});

kernelTest("--time-offset moves the monotonic and boot clocks, the host's stay", async () => {
  const [monotonic = 0, boottime = 0] = (await inside(["--time-offset=86400"], "probe clocks")).split("\n").map(Number);
  const here = uptime();
  for (const clock of [monotonic, boottime]) {
    assert.ok(clock - here > 86_400 - 60 && clock - here < 86_400 + 60, `${clock} is not a day after ${here}`);
  }
  const [control = 0] = (await inside([], "probe clocks")).split("\n").map(Number);
  assert.ok(Math.abs(control - here) < 60);
});

kernelTest("the container's keyring is not the caller's", async () => {
  const { stdout } = await runScript(
    ["--security-opt=seccomp=unconfined"],
    "cat /proc/keys 2>/dev/null | grep -c _ses",
  );
  assert.ok(Number(stdout) <= 1, `session keyrings seen: ${stdout}`);
});
