/**
 * Compiled filters in the kernel, loaded by an unprivileged process: what becomes of single calls (a value, an errno,
 * SIGSYS, death, a notification) beside the reference meaning.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { defaultSubject } from "../../bench/seccomp/subjects.ts";
import { architectureOf, nativeArchitecture } from "../../src/profile/architectures.ts";
import { syscallTable } from "../../src/profile/syscall-tables.ts";
import { encodeProgram, decodeProgram } from "../../src/seccomp/bpf.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { Filter, SeccompData } from "../../src/seccomp/filter.ts";
import { asCaller } from "../support/caller.ts";
import { builtCompiler } from "../support/component.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { repository } from "../support/repository.ts";
import { environment, makeOwned, scratch } from "../support/scratch.ts";
import { ACTION, callRule, callsOf } from "../unit/seccomp/random-filters.ts";

const name = nativeArchitecture(process.arch);
assert.ok(name !== undefined, `no filters for ${process.arch}`);
const host = architectureOf(name);
const { numbers } = syscallTable(name);

/** Calls that take no arguments and never fail, so that a value means that the filter let them through. */
const HARMLESS = ["getuid", "getgid", "geteuid", "getegid", "getppid", "gettid", "sched_yield"];
const harmless = HARMLESS.map((call) => numbers.get(call)).filter((number) => number !== undefined);

let folder: string | undefined;

function probe(program: Uint8Array | null, calls: readonly SeccompData[]): readonly string[] {
  if (folder === undefined) {
    folder = makeOwned(join(scratch, "filter-probe"));
    const source = `${repository}/test/support/filter-probe.c`;
    const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-o", join(folder, "filter-probe"), source];
    const { status, stderr } = spawnSync("gcc", flags, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
  const file = join(folder, "program");
  if (program !== null) {
    writeFileSync(file, host.bigEndian ? encodeProgram(decodeProgram(program), "big") : program);
  }
  const input = calls.map(({ number, args }) => `${[number, ...args].join(" ")}\n`).join("");
  const { status, stdout, stderr } = spawnSync(join(folder, "filter-probe"), [program === null ? "none" : file], {
    ...asCaller,
    cwd: folder,
    env: environment,
    input,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, calls.length);
  return lines;
}

const EOWNERDEAD = 130;
const ENOSYS = 38;
const SIGSYS = 31;

/** What the kernel makes of an action; values are not told apart. */
function observed(action: number): string {
  const data = action & 0xffff;
  switch ((action & 0xffff0000) >>> 0) {
    case ACTION.allow:
    case ACTION.log:
      return "value";
    case 0x00050000:
      return `errno ${data}`;
    case ACTION.trap:
      return `trap ${data}`;
    case ACTION.notify:
      return `errno ${EOWNERDEAD}`;
    // There is no tracer.
    case 0x7ff00000:
      return `errno ${ENOSYS}`;
    default:
      return `signal ${SIGSYS}`;
  }
}

const withoutValue = (line: string): string => line.replace(/^value \d+$/, "value");

const callOf = (number: number): SeccompData => ({
  number,
  architecture: host.auditArchitecture,
  instructionPointer: 0n,
  args: [0n, 0n, 0n, 0n, 0n, 0n],
});

kernelTest("control: without a filter every one of the calls succeeds", () => {
  assert.deepEqual(
    probe(null, harmless.map(callOf)).map(withoutValue),
    harmless.map(() => "value"),
  );
});

kernelTest("each action is what the kernel does", () => {
  const actions = Object.values(ACTION).filter((action) => action !== ACTION.enosys);
  for (const action of actions) {
    const filter: Filter = {
      architectures: [
        {
          auditArchitecture: host.auditArchitecture,
          bigEndian: host.bigEndian,
          calls: [{ number: numbers.get("getppid") ?? 0, argumentBits: 64, clauses: [], otherwise: action }],
          ranges: [],
          defaultAction: ACTION.allow,
        },
      ],
      unknownArchitecture: ACTION.killProcess,
    };
    const { program } = builtCompiler.compile(filter);
    const calls = [callOf(numbers.get("getppid") ?? 0), callOf(numbers.get("getuid") ?? 0)];
    assert.deepEqual(probe(program, calls).map(withoutValue), [observed(action), "value"]);
  }
});

kernelTest("random filters decide in the kernel as they mean to", () => {
  const filters = fc
    .tuple(...harmless.toSorted((a, b) => a - b).map((number) => callRule(number, 64)))
    .map((calls): Filter => ({
      architectures: [
        {
          auditArchitecture: host.auditArchitecture,
          bigEndian: host.bigEndian,
          calls,
          ranges: [],
          defaultAction: ACTION.allow,
        },
      ],
      unknownArchitecture: ACTION.killThread,
    }));
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      filters.chain((filter) =>
        fc.record({
          filter: fc.constant(filter),
          calls: fc.array(
            fc.tuple(callsOf(filter), fc.constantFrom(...harmless)).map(([data, number]) => ({
              ...data,
              number,
              architecture: host.auditArchitecture,
            })),
            { minLength: 40, maxLength: 40 },
          ),
        }),
      ),
      fc.constantFrom("bitmap" as const, "interpreter" as const),
      ({ filter, calls }, kernel) => {
        const { program } = builtCompiler.compile(filter, { kernel, verify: true });
        const expected = calls.map((call) => observed(evaluate(filter, call)));
        for (const outcome of expected) seen.add(outcome);
        assert.deepEqual(probe(program, calls).map(withoutValue), expected);
      },
    ),
    { numRuns: 25 },
  );
  for (const outcome of ["value", `errno ${EOWNERDEAD}`, `errno ${ENOSYS}`, "errno 1", `signal ${SIGSYS}`, "trap 0"])
    assert.ok(seen.has(outcome), `no call ended in "${outcome}"`);
});

kernelTest("default lets harmless calls through and refuses by its errno", (context) => {
  if (host.auditArchitecture !== defaultSubject.architecture.auditArchitecture) {
    context.skip("the profile is compiled for x86_64");
    return;
  }
  const { filter } = defaultSubject;
  const { program } = builtCompiler.compile(filter, { verify: true });
  const number = (call: string): number => numbers.get(call) ?? assert.fail(`no call "${call}"`);
  const personality = (value: bigint): SeccompData => ({
    ...callOf(number("personality")),
    args: [value, 0n, 0n, 0n, 0n, 0n],
  });
  const calls = [
    ...harmless.map(callOf),
    personality(0xffffffffn),
    personality(0x0040000n),
    callOf(number("acct")),
    callOf(number("swapoff")),
    callOf(number("keyctl")),
  ];
  const expected = calls.map((call) => observed(evaluate(filter, call)));
  assert.deepEqual(expected.slice(harmless.length), ["value", "errno 1", "errno 1", "errno 1", "errno 1"]);
  assert.deepEqual(probe(program, calls).map(withoutValue), expected);
});
