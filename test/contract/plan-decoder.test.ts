/**
 * Encoder and decoder agree on every operation, and the decoder refuses each kind of malformed plan for its own reason.
 * `decode-plan` is `native/plan.c` with a printer; the helper runs the same code on the same bytes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { encodePlan } from "../../src/plan/encode.ts";
import type { LaunchPlan } from "../../src/plan/launch-plan.ts";
import {
  CONTAINER_OPERATIONS,
  type ContainerOperation,
  type FieldType,
  type MonitorOperation,
  SLOT_LIMIT,
} from "../../src/plan/operations.ts";
import { repository } from "../support/repository.ts";
import { arbitraryPlan, TABLES } from "./arbitrary-plan.ts";
import { makeOwnedFolder } from "./owned-folder.ts";

const { errno } = constants;
const decoder = join(repository, "build/native/decode-plan");
const file = join(makeOwnedFolder(), "plan");

function decode(bytes: Uint8Array): string {
  writeFileSync(file, bytes);
  const { status, stdout, stderr } = spawnSync(decoder, [file], { encoding: "utf8" });
  assert.equal(stderr, "");
  assert.ok(status === 0 || status === 1, `decode-plan ended with ${status}`);
  return stdout;
}

// What decode-plan prints.

const hex = (text: string): string => Buffer.from(text).toString("hex");

function formatValue(type: FieldType, value: unknown): string {
  switch (type) {
    case "string":
      return hex(value as string);
    case "strings":
      return (value as readonly string[]).map(hex).join(",");
    case "u32s":
      return (value as readonly number[]).join(",");
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("hex");
    default:
      return String(value);
  }
}

function formatPlan(plan: LaunchPlan): string {
  const lines = [`reporter ${plan.reporter.map(hex).join(",")}`];
  for (const [section, operations] of [plan.monitor, plan.container, plan.cleanup].entries()) {
    for (const operation of operations) {
      const values: Readonly<Record<string, unknown>> = { ...operation };
      const fields = Object.entries(TABLES[operation.op]?.fields ?? {});
      const text = fields.map(([name, type]) => ` ${name}=${formatValue(type, values[name])}`);
      lines.push(`${section} ${operation.op}${text.join("")}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

test("the decoder reads what the encoder wrote", () => {
  fc.assert(
    fc.property(arbitraryPlan, (value) => {
      assert.equal(decode(encodePlan(value)), formatPlan(value));
    }),
    { numRuns: 200 },
  );
});

test("every operation is among those compared", () => {
  const compared = new Set<string>();
  fc.assert(
    fc.property(arbitraryPlan, (value) => {
      for (const { op } of [...value.monitor, ...value.container, ...value.cleanup]) compared.add(op);
    }),
    { numRuns: 200 },
  );
  assert.deepEqual([...compared].toSorted(), Object.keys(TABLES).toSorted());
});

// Refusals.

const EXECUTE: ContainerOperation = { op: "execute", candidates: ["/bin/true"], arguments: ["true"], environment: [] };
const CLONE: MonitorOperation = { op: "clone", flags: 0n, cgroup: "" };
const RELEASE: MonitorOperation = { op: "release" };
const SUPERVISE: MonitorOperation = { op: "supervise", flags: 0, stopTimeoutMs: 0, exitFile: "" };
const JANITOR: MonitorOperation = { op: "spawnJanitor" };
const MINIMAL: LaunchPlan = { monitor: [CLONE, RELEASE, SUPERVISE], container: [EXECUTE], cleanup: [], reporter: [] };

const withMonitor = (...operations: readonly MonitorOperation[]): Uint8Array =>
  encodePlan({ ...MINIMAL, monitor: operations });
const withContainer = (...operations: readonly ContainerOperation[]): Uint8Array =>
  encodePlan({ ...MINIMAL, container: operations });

/** The bytes of a plan whose first container operation is `operation`, and where that operation begins. */
function locate(operation: ContainerOperation): { readonly bytes: Uint8Array; readonly at: number } {
  const bytes = withContainer(operation, EXECUTE);
  const empty = encodePlan({ ...MINIMAL, container: [] });
  return { bytes, at: empty.length };
}

function withU32(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const changed = new Uint8Array(bytes);
  new DataView(changed.buffer).setUint32(offset, value, true);
  return changed;
}

/** Bytes with the length field of the plan mended, to reach what is checked after it. */
function resized(bytes: Uint8Array): Uint8Array {
  return withU32(bytes, 8, bytes.length);
}

const ATTEMPT = (first: number, otherwise: number): ContainerOperation => ({ op: "attempt", first, otherwise });
const SESSION: ContainerOperation = { op: "newSession" };
const HOSTNAME = locate({ op: "setHostname", name: "hosts" });
const UMASK = locate({ op: "setUmask", mask: 0 });
const GROUPS = locate({ op: "setGroups", gids: [1, 2] });
const TREE = locate({ op: "openTree", slot: 1, path: "/", recursive: 0 });
const FILE = locate({ op: "makeFile", anchor: 0, path: "/f", mode: 0 });
const ATTACH = locate({
  op: "attach",
  slot: 0,
  anchor: 0,
  target: "abc",
  create: 0,
  set: 0n,
  clear: 0n,
  propagation: 0n,
  recursive: 0,
});
const MONITOR = 0;
const CONTAINER = 1;
const CLEANUP_SECTION = 2;

type Refusal = readonly [
  what: string,
  bytes: Uint8Array,
  section: number,
  index: number,
  errno: number,
  reason: string,
];

const REFUSALS: readonly Refusal[] = [
  ["nothing", new Uint8Array(0), MONITOR, -1, errno.ENOEXEC, "not a launch plan"],
  ["another magic", withU32(encodePlan(MINIMAL), 0, 1), MONITOR, -1, errno.ENOEXEC, "not a launch plan"],
  [
    "another version",
    withU32(encodePlan(MINIMAL), 4, 1),
    MONITOR,
    -1,
    errno.EPROTONOSUPPORT,
    "the plan was made for another version of the helper",
  ],
  [
    "a cut plan",
    encodePlan(MINIMAL).slice(0, -4),
    MONITOR,
    -1,
    errno.EBADMSG,
    "the plan has another length than it says",
  ],
  [
    "a cut header",
    resized(encodePlan(MINIMAL).slice(0, 20)),
    MONITOR,
    -1,
    errno.EBADMSG,
    "a field ends after its operation",
  ],
  [
    "bytes at the end",
    resized(Buffer.concat([encodePlan(MINIMAL), new Uint8Array(4)])),
    CLEANUP_SECTION,
    -1,
    errno.EBADMSG,
    "the plan has bytes after its last operation",
  ],
  [
    "more operations than there are",
    withU32(encodePlan(MINIMAL), 20, 1),
    CLEANUP_SECTION,
    0,
    errno.EBADMSG,
    "an operation is missing",
  ],
  ["an unknown code", withU32(UMASK.bytes, UMASK.at, 63), CONTAINER, 0, errno.EOPNOTSUPP, "an unknown operation"],
  ["code 0", withU32(UMASK.bytes, UMASK.at, 0), CONTAINER, 0, errno.EOPNOTSUPP, "an unknown operation"],
  ["a huge code", withU32(UMASK.bytes, UMASK.at, 0xffff), CONTAINER, 0, errno.EOPNOTSUPP, "an unknown operation"],
  [
    "reserved bits",
    withU32(UMASK.bytes, UMASK.at, CONTAINER_OPERATIONS.setUmask.code | 0x10000),
    CONTAINER,
    0,
    errno.EBADMSG,
    "an operation's header is malformed",
  ],
  [
    "an operation longer than the plan",
    withU32(UMASK.bytes, UMASK.at + 4, 0xffff_fffc),
    CONTAINER,
    0,
    errno.EBADMSG,
    "an operation ends after the plan",
  ],
  [
    "an operation that is no multiple of 4",
    withU32(UMASK.bytes, UMASK.at + 4, 5),
    CONTAINER,
    0,
    errno.EBADMSG,
    "an operation's header is malformed",
  ],
  [
    "an operation that is too long",
    withU32(UMASK.bytes, UMASK.at + 4, 8),
    CONTAINER,
    0,
    errno.EBADMSG,
    "an operation has bytes after its last field",
  ],
  [
    "an operation that is too short",
    withU32(UMASK.bytes, UMASK.at + 4, 0),
    CONTAINER,
    0,
    errno.EBADMSG,
    "a field ends after its operation",
  ],
  [
    "a string longer than its operation",
    withU32(HOSTNAME.bytes, HOSTNAME.at + 8, 8),
    CONTAINER,
    0,
    errno.EBADMSG,
    "a string ends after its operation",
  ],
  [
    "a string of 4 GiB",
    withU32(HOSTNAME.bytes, HOSTNAME.at + 8, 0xffff_ffff),
    CONTAINER,
    0,
    errno.EBADMSG,
    "a string ends after its operation",
  ],
  [
    "a string with a NUL",
    withU32(HOSTNAME.bytes, HOSTNAME.at + 12, 0x61006161),
    CONTAINER,
    0,
    errno.EILSEQ,
    "a string has a NUL inside or none at its end",
  ],
  [
    "a string without its NUL",
    withU32(HOSTNAME.bytes, HOSTNAME.at + 16, 0x61616161),
    CONTAINER,
    0,
    errno.EBADMSG,
    "padding is not zero",
  ],
  [
    "a string that fills its words without a NUL",
    withU32(ATTACH.bytes, ATTACH.at + 20, 0x61616161),
    CONTAINER,
    0,
    errno.EILSEQ,
    "a string has a NUL inside or none at its end",
  ],
  [
    "a list of another number of strings",
    withU32(encodePlan({ ...MINIMAL, reporter: ["ab"] }), 24, 2),
    MONITOR,
    -1,
    errno.EILSEQ,
    "a list of strings has another number of NULs",
  ],
  [
    "a list of strings without the last NUL",
    withU32(encodePlan({ ...MINIMAL, reporter: ["", "ab"] }), 32, 0x61610061),
    MONITOR,
    -1,
    errno.EILSEQ,
    "a list of strings has another number of NULs",
  ],
  [
    "a list of 2³² numbers",
    withU32(GROUPS.bytes, GROUPS.at + 8, 0xffff_ffff),
    CONTAINER,
    0,
    errno.EBADMSG,
    "a list ends after its operation",
  ],
  [
    "a slot out of range",
    withU32(TREE.bytes, TREE.at + 8, SLOT_LIMIT),
    CONTAINER,
    0,
    errno.ERANGE,
    "a slot is out of range",
  ],
  ["a flag of 2", withU32(TREE.bytes, TREE.at + 20, 2), CONTAINER, 0, errno.ERANGE, "a flag is neither 0 nor 1"],
  ["a third anchor", withU32(FILE.bytes, FILE.at + 8, 2), CONTAINER, 0, errno.ERANGE, "an anchor is out of range"],
  [
    "a fourth way to create",
    withU32(ATTACH.bytes, ATTACH.at + 24, 3),
    CONTAINER,
    0,
    errno.ERANGE,
    "a way to create is out of range",
  ],
  [
    "a monitor's operation in the container's list",
    withContainer(RELEASE as never, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "an operation of the other half",
  ],
  [
    "a container's operation in the monitor's list",
    withMonitor(CLONE, SESSION as never, RELEASE, SUPERVISE),
    MONITOR,
    1,
    errno.EINVAL,
    "an operation of the other half",
  ],
  [
    "an operation that is none of clean-up",
    encodePlan({ ...MINIMAL, cleanup: [{ op: "removeHostFile", path: "/x", unlessStarted: 0 }, RELEASE] }),
    CLEANUP_SECTION,
    1,
    errno.EINVAL,
    "the operation is none of clean-up",
  ],
  ["two clones", withMonitor(CLONE, CLONE, RELEASE, SUPERVISE), MONITOR, 1, errno.EINVAL, "a second clone"],
  [
    "release before clone",
    withMonitor(RELEASE, CLONE, SUPERVISE),
    MONITOR,
    0,
    errno.EINVAL,
    "release stands before clone, or twice",
  ],
  [
    "two releases",
    withMonitor(CLONE, RELEASE, RELEASE, SUPERVISE),
    MONITOR,
    2,
    errno.EINVAL,
    "release stands before clone, or twice",
  ],
  [
    "supervise before release",
    withMonitor(CLONE, SUPERVISE, RELEASE),
    MONITOR,
    1,
    errno.EINVAL,
    "supervise stands before release, or twice",
  ],
  ["no supervise", withMonitor(CLONE, RELEASE), MONITOR, -1, errno.EINVAL, "clone, release or supervise is missing"],
  [
    "two janitors",
    withMonitor(JANITOR, JANITOR, CLONE, RELEASE, SUPERVISE),
    MONITOR,
    1,
    errno.EINVAL,
    "spawnJanitor stands after release, or twice",
  ],
  [
    "a janitor after release",
    withMonitor(CLONE, RELEASE, JANITOR, SUPERVISE),
    MONITOR,
    2,
    errno.EINVAL,
    "spawnJanitor stands after release, or twice",
  ],
  [
    "id maps before clone",
    withMonitor({ op: "writeChildProc", name: "uid_map", contents: "" }, CLONE, RELEASE, SUPERVISE),
    MONITOR,
    0,
    errno.EINVAL,
    "the operation stands outside clone and release",
  ],
  [
    "id maps after release",
    withMonitor(CLONE, RELEASE, { op: "writeChildProc", name: "uid_map", contents: "" }, SUPERVISE),
    MONITOR,
    2,
    errno.EINVAL,
    "the operation stands outside clone and release",
  ],
  [
    "a PID written before clone",
    withMonitor({ op: "writeChildPid", path: "/x", style: 1 }, CLONE, RELEASE, SUPERVISE),
    MONITOR,
    0,
    errno.EINVAL,
    "the operation stands outside clone and supervise",
  ],
  ["an empty container list", withContainer(), CONTAINER, -1, errno.EINVAL, "execute is missing"],
  [
    "a container list without execute",
    withContainer(SESSION),
    CONTAINER,
    0,
    errno.EINVAL,
    "the last operation is not execute",
  ],
  [
    "execute in the middle",
    withContainer(EXECUTE, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "execute is not the last operation",
  ],
  [
    "execute without candidates",
    withContainer({ ...EXECUTE, candidates: [] }),
    CONTAINER,
    0,
    errno.EINVAL,
    "execute without a command",
  ],
  [
    "an attempt that takes execute in",
    withContainer(ATTEMPT(1, 1), SESSION, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "an attempt runs past the end",
  ],
  [
    "an attempt of 2³² operations twice",
    withContainer(ATTEMPT(0xffff_ffff, 0xffff_ffff), SESSION, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "an attempt runs past the end",
  ],
  [
    "an attempt that leaves the first part of its parent",
    withContainer(ATTEMPT(2, 2), ATTEMPT(1, 1), SESSION, SESSION, SESSION, EXECUTE),
    CONTAINER,
    1,
    errno.EINVAL,
    "an attempt runs past the end",
  ],
  [
    "an attempt that leaves the second part of its parent",
    withContainer(ATTEMPT(1, 2), SESSION, ATTEMPT(1, 1), SESSION, SESSION, EXECUTE),
    CONTAINER,
    2,
    errno.EINVAL,
    "an attempt runs past the end",
  ],
  [
    "attempts five deep",
    withContainer(ATTEMPT(5, 0), ATTEMPT(4, 0), ATTEMPT(3, 0), ATTEMPT(2, 0), ATTEMPT(1, 0), SESSION, EXECUTE),
    CONTAINER,
    4,
    errno.EINVAL,
    "attempts nest too deep",
  ],
  [
    "forkInit in an attempt",
    withContainer(ATTEMPT(1, 0), { op: "forkInit", seccompFlags: 0, program: new Uint8Array(0) }, EXECUTE),
    CONTAINER,
    1,
    errno.EINVAL,
    "forkInit stands in an attempt",
  ],
  [
    "half a filter instruction",
    withContainer({ op: "loadSeccomp", flags: 0, program: new Uint8Array(12) }, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "not a filter program",
  ],
  [
    "a filter of 4097 instructions",
    withContainer({ op: "loadSeccomp", flags: 0, program: new Uint8Array(4097 * 8) }, EXECUTE),
    CONTAINER,
    0,
    errno.EINVAL,
    "not a filter program",
  ],
];

for (const [what, bytes, section, index, error, reason] of REFUSALS) {
  test(`the decoder refuses ${what}`, () => {
    assert.equal(decode(bytes), `refused ${section} ${index} ${error} ${reason}\n`);
  });
}

test("the decoder accepts attempts four deep that end together", () => {
  const plan: LaunchPlan = {
    ...MINIMAL,
    container: [ATTEMPT(3, 1), ATTEMPT(2, 0), ATTEMPT(0, 1), ATTEMPT(0, 0), SESSION, EXECUTE],
  };
  assert.equal(decode(encodePlan(plan)), formatPlan(plan));
});

test("no cut of a plan is accepted or makes the decoder read beyond it", () => {
  const bytes = encodePlan({ ...MINIMAL, reporter: ["/bin/reporter", "report"] });
  for (let length = 0; length < bytes.length; length += 4) {
    const cut = length < 12 ? bytes.slice(0, length) : resized(bytes.slice(0, length));
    assert.match(decode(cut), /^refused /);
  }
});

test("the encoder refuses what has no bytes", () => {
  const cause = (pattern: RegExp) => (error: unknown) =>
    error instanceof Error && error.cause instanceof Error && pattern.test(error.cause.message);
  assert.throws(() => withContainer({ op: "setHostname", name: "a\0b" }, EXECUTE), cause(/contains a NUL/));
  assert.throws(() => withContainer({ op: "setUmask", mask: -1 }, EXECUTE), cause(/-1 is no u32/));
  assert.throws(() => withContainer({ op: "setUmask", mask: 2 ** 32 }, EXECUTE), cause(/4294967296 is no u32/));
  assert.throws(() => withContainer({ op: "setOomScoreAdj", value: 2 ** 31 }, EXECUTE), cause(/2147483648 is no i32/));
  assert.throws(() => withContainer({ op: "setAmbient", mask: -1n }, EXECUTE), cause(/-1 is no u64/));
  assert.throws(
    () => withContainer({ op: "openTree", slot: SLOT_LIMIT, path: "/", recursive: 0 }, EXECUTE),
    cause(/512 is not below 512/),
  );
});
