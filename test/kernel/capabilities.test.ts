/** All five capability sets of the command, read from inside, for root and others, and what lacking one does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { inside, probe } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";

/** capabilities(7) numbers. */
const NUMBER: Readonly<Record<string, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  NET_RAW: 13,
  SYS_CHROOT: 18,
  SYS_ADMIN: 21,
  SETFCAP: 31,
};

const DEFAULT = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "SETFCAP",
];

const NONE = "0".repeat(16);
const mask = (names: readonly string[]): string =>
  names
    .reduce((bits, name) => bits | (1n << BigInt(NUMBER[name] ?? 64)), 0n)
    .toString(16)
    .padStart(16, "0");

interface Sets {
  readonly inheritable: string;
  readonly permitted: string;
  readonly effective: string;
  readonly bounding: string;
  readonly ambient: string;
}

async function sets(flags: readonly string[]): Promise<Sets> {
  const text = await inside(flags, "sed -n 's/^Cap...:[[:space:]]*//p' /proc/self/status");
  const [inheritable = "", permitted = "", effective = "", bounding = "", ambient = ""] = text.split("\n");
  return { inheritable, permitted, effective, bounding, ambient };
}

const rootSets = (held: string): Sets => ({
  inheritable: NONE,
  permitted: held,
  effective: held,
  bounding: held,
  ambient: NONE,
});

kernelTest("root has the minimal set, inheritable and ambient are empty", async () => {
  assert.deepEqual(await sets([]), rootSets(mask(DEFAULT)));
});

kernelTest("another user has none, and a bounding set that gives none to set-id programs", async () => {
  assert.deepEqual(await sets(["--user=1000:1000"]), {
    inheritable: NONE,
    permitted: NONE,
    effective: NONE,
    bounding: mask(DEFAULT),
    ambient: NONE,
  });
});

kernelTest("--cap-add for another user arrives through the ambient set", async () => {
  const added = mask(["NET_RAW"]);
  assert.deepEqual(await sets(["--user=1000", "--cap-add=NET_RAW"]), {
    inheritable: added,
    permitted: added,
    effective: added,
    bounding: mask([...DEFAULT, "NET_RAW"]),
    ambient: added,
  });
});

kernelTest("--cap-drop takes away from every set", async () => {
  assert.deepEqual(
    await sets(["--cap-drop=CAP_KILL", "--cap-drop=chown"]),
    rootSets(mask(DEFAULT.filter((name) => name !== "KILL" && name !== "CHOWN"))),
  );
});

kernelTest("--cap-drop ALL leaves nothing, and --cap-add then gives what it names", async () => {
  assert.deepEqual(await sets(["--cap-drop=ALL"]), rootSets(NONE));
  assert.deepEqual(await sets(["--cap-drop=ALL", "--cap-add=SYS_CHROOT"]), rootSets(mask(["SYS_CHROOT"])));
});

kernelTest("--cap-add ALL is everything the kernel knows", async () => {
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  const all = ((1n << BigInt(last + 1)) - 1n).toString(16).padStart(16, "0");
  assert.deepEqual(await sets(["--cap-add=ALL"]), rootSets(all));
});

kernelTest("a capability that is not held is really lacking", async () => {
  const unfiltered = ["--security-opt=seccomp=unconfined"];
  assert.deepEqual(await probe(unfiltered, ["sethostname", "mount", "chown", "chroot"]), {
    sethostname: "EPERM",
    mount: "EPERM",
    chown: "ok",
    chroot: "EPERM",
  });
  assert.deepEqual(await probe([...unfiltered, "--cap-add=SYS_ADMIN", "--cap-drop=CHOWN"], ["sethostname", "mount"]), {
    sethostname: "ok",
    mount: "ok",
  });
  assert.deepEqual(await probe([...unfiltered, "--user=1000"], ["chown"]), { chown: "EPERM" });
});

kernelTest("securebits are the kernel's defaults and keep no capabilities across a change of user", async () => {
  assert.equal(await inside([], "su alice -c 'sed -n s/^CapEff:[[:space:]]*//p /proc/self/status'"), NONE);
});
