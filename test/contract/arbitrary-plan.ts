/** Arbitrary launch plans: any values in any operations, in an order that the helper accepts. */
import fc from "fast-check";
import type { LaunchPlan } from "../../src/plan/launch-plan.ts";
import {
  CONTAINER_OPERATIONS,
  type ContainerOperation,
  type FieldType,
  MONITOR_OPERATIONS,
  type MonitorOperation,
  type OperationDefinition,
  SLOT_LIMIT,
} from "../../src/plan/operations.ts";

/** Every operation by name. */
export const TABLES: Readonly<Record<string, OperationDefinition>> = { ...MONITOR_OPERATIONS, ...CONTAINER_OPERATIONS };

const string = fc
  .string({ unit: "binary", maxLength: 40 })
  .map((text) => Buffer.from(text.replaceAll("\0", "")).toString());

const VALUES: Readonly<Record<FieldType, fc.Arbitrary<unknown>>> = {
  u32: fc.nat(0xffff_ffff),
  i32: fc.integer(),
  u64: fc.bigInt(0n, 2n ** 64n - 1n),
  i64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  flag: fc.nat(1),
  slot: fc.nat(SLOT_LIMIT - 1),
  anchor: fc.nat(1),
  create: fc.nat(2),
  string,
  strings: fc.array(string, { maxLength: 5 }),
  u32s: fc.array(fc.nat(0xffff_ffff), { maxLength: 5 }),
  bytes: fc.uint8Array({ maxLength: 40 }),
};

function operation(name: string, overrides: Readonly<Record<string, fc.Arbitrary<unknown>>> = {}): fc.Arbitrary<never> {
  const fields = Object.entries(TABLES[name]?.fields ?? {}).map(([field, type]) => [field, VALUES[type]] as const);
  return fc.record({ op: fc.constant(name), ...Object.fromEntries(fields), ...overrides }) as fc.Arbitrary<never>;
}

const program = fc
  .integer({ min: 1, max: 10 })
  .chain((count) => fc.uint8Array({ minLength: count * 8, maxLength: count * 8 }));
const nonEmpty = fc.array(string, { minLength: 1, maxLength: 4 });

/** Operations whose place or contents the decoder restricts. */
const RESTRICTED = new Set([
  "clone",
  "spawnJanitor",
  "release",
  "supervise",
  "attempt",
  "forkInit",
  "loadSeccomp",
  "execute",
]);
const AFTER_CLONE = new Set(["writeChildProc", "runIdMapTools", "openTreeIdmapped", "writeChildPid"]);
const CLEANUP = ["removeHostFile", "removeHostTree", "removeCgroup", "killCgroup", "writeKernelFile", "writeHostFile"];

const anyOf = (names: readonly string[]): fc.Arbitrary<never[]> =>
  fc.array(fc.oneof(...names.map((name) => operation(name))), { maxLength: 8 });

const anywhere = Object.keys(MONITOR_OPERATIONS).filter((name) => !RESTRICTED.has(name) && !AFTER_CLONE.has(name));

const monitor: fc.Arbitrary<readonly MonitorOperation[]> = fc
  .tuple(
    anyOf(anywhere),
    operation("spawnJanitor"),
    operation("clone"),
    anyOf([...anywhere, ...AFTER_CLONE]),
    operation("release"),
    operation("supervise"),
    anyOf(anywhere),
  )
  .map((parts) => parts.flat());

const container: fc.Arbitrary<readonly ContainerOperation[]> = fc
  .tuple(
    anyOf(Object.keys(CONTAINER_OPERATIONS).filter((name) => !RESTRICTED.has(name))),
    fc.tuple(operation("forkInit", { program }), operation("loadSeccomp", { program })),
    operation("execute", { candidates: nonEmpty, arguments: nonEmpty }),
  )
  .map(([some, filters, execute]) => [
    ...(some.length < 3 ? some : [{ op: "attempt", first: 2, otherwise: some.length - 2 } as const, ...some]),
    ...filters,
    execute,
  ]);

/** Plans that the decoder accepts, with every operation among them. */
export const arbitraryPlan: fc.Arbitrary<LaunchPlan> = fc.record({
  monitor,
  container,
  cleanup: anyOf(CLEANUP),
  reporter: fc.array(string, { maxLength: 3 }),
});
