/**
 * Boots guests with systemd and cgroup v2 and runs test files in them (`*.guest.ts` here, and those of `test/kernel` that
 * a guest alone can answer): `npm run test:vm`. `run.sh` says what a guest is.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/repository.ts";

/** What the tests need of the checkout. */
const COPIED = [
  "package.json",
  "dist",
  "profiles",
  "build/package.json",
  "build/src",
  "build/test",
  "test/support",
  "node_modules/koffi",
  "node_modules/@koromix",
];

interface GuestOptions {
  readonly delegation?: "all" | "stock";
  /** The tests act as root, and make ordinary users of what they start. */
  readonly asRoot?: boolean;
  /** A line of bash that runs the words behind it. */
  readonly wrapper?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Test files below `test/`, run in a guest of their own. */
function guestTest(name: string, files: readonly string[], options: GuestOptions = {}): void {
  void test(name, () => {
    const variables = { REQUIRE_KERNEL: "1", NO_COLOR: "1", ...options.environment };
    const words = [
      "exec",
      "env",
      ...Object.entries(variables).map(([key, value]) => `${key}=${value}`),
      ...(options.wrapper === undefined ? [] : [options.wrapper]),
      "node",
      "--test",
      "--test-reporter=tap",
      "--test-concurrency=1",
      ...files.map((file) => `build/test/${file.replace(/\.ts$/, ".js")}`),
    ];
    const guest = spawnSync(
      "bash",
      [
        join(repository, "test/vm/run.sh"),
        ...COPIED.flatMap((path) => ["--copy", path]),
        ...(options.delegation === undefined ? [] : ["--delegation", options.delegation]),
        ...(options.asRoot === true ? ["--root"] : []),
        words.join(" "),
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 26 },
    );
    assert.equal(guest.status, 0, `${guest.stdout}\n${guest.stderr}`);
    // A guest that ran nothing has proved nothing.
    assert.match(guest.stdout, /^# pass [1-9]/m);
    assert.match(guest.stdout, /^# skipped 0$/m);
  });
}

/** One processor that makes system calls slowly: fewer rounds than on a real host. */
const FEWER = { PYCRI_TEST_MANY: "20", PYCRI_TEST_KILLS: "20" };

guestTest("a login session: the systemd manager", ["kernel/cgroup.test.ts", "vm/systemd.guest.ts"], {
  environment: { ...FEWER, PYCRI_TEST_CGROUPS: "systemd" },
});

guestTest("a delegated scope: the cgroupfs manager", ["kernel/cgroup.test.ts", "vm/cgroupfs.guest.ts"], {
  environment: { ...FEWER, PYCRI_TEST_CGROUPS: "cgroupfs" },
  wrapper: "systemd-run --user --scope --quiet -p Delegate=yes --",
});

guestTest("Debian's own delegation", ["vm/stock.guest.ts"], {
  environment: { PYCRI_TEST_CGROUPS: "systemd" },
  delegation: "stock",
});

guestTest("services, other users, bans and AppArmor", ["vm/host.guest.ts"], { asRoot: true });
