/**
 * Every number of every table beside libseccomp's, which is maintained by other people from other sources. Where
 * libseccomp has a call and pycri has not, or the other way round, the reason stands here. What the installed libseccomp is
 * too old to tell was noted from its newest table, `test/data/syscall-facts.json`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ArchitectureName, architectures } from "../../src/profile/architectures.ts";
import { parseRelease, releaseOf, syscallTable } from "../../src/profile/syscall-tables.ts";
import { repository } from "../support/repository.ts";
import { differentialTest, knowsArchitecture, namesOfNumbers, tokensOf } from "./libseccomp.ts";

/** libseccomp 2.5.4 (Debian 12) ends with Linux 5.17: calls of 6.0 and later cannot be compared there. */
const FIRST_UNKNOWN = parseRelease("6.0");

/** EM_* | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE of linux/audit.h, for what an old libseccomp lacks. */
const NOTED_TOKENS: Partial<Record<ArchitectureName, number>> = {
  loongarch64: 0xc0000102,
  m68k: 0x00000004,
  sh: 0x4000002a,
  sheb: 0x0000002a,
};

/** libseccomp marks x32 by leaving the 64-bit flag out; the kernel gives its calls x86_64's value. */
const X32_TOKEN = 0x4000003e;

differentialTest("every architecture has the AUDIT_ARCH value that libseccomp gives it", [], () => {
  const known = [...architectures.keys()].filter(knowsArchitecture);
  const tokens = tokensOf(known);
  for (const { name, auditArchitecture, bigEndian } of architectures.values()) {
    const token = tokens[known.indexOf(name)] ?? NOTED_TOKENS[name];
    assert.equal(name === "x32" ? X32_TOKEN : auditArchitecture, token, name);
    assert.equal(bigEndian, Math.floor((token ?? 0) / 0x40000000) % 2 === 0, name);
  }
  assert.ok(known.length >= 19, `only ${known.length} are known to libseccomp`);
});

differentialTest("every number has the name that libseccomp knows", [], () => {
  const known = [...architectures.values()].filter(({ name }) => knowsArchitecture(name));
  const missing: string[] = [];
  let compared = 0;
  for (const { name: architecture } of known) {
    const { names, largest } = syscallTable(architecture);
    const listed = [...names.keys()];
    const first = listed[0] ?? 0;
    const holes = Array.from({ length: largest - first }, (_, index) => first + index).filter((n) => !names.has(n));
    const numbers = [...listed, ...holes];
    const theirs = namesOfNumbers(numbers.map((number) => [architecture, number] as const));
    for (const [index, number] of numbers.entries()) {
      const ours = names.get(number) ?? [];
      const name = theirs[index] ?? null;
      if (name === null) {
        if (ours.length > 0 && !ours.some((alias) => releaseOf(architecture, alias) >= FIRST_UNKNOWN))
          missing.push(`${architecture} ${ours.join("/")}`);
        continue;
      }
      assert.ok(ours.includes(name), `${architecture} ${number} is ${ours.join("/")} here and ${name} in libseccomp`);
      compared += 1;
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(compared > 5000, `only ${compared} numbers were compared`);
});

interface Facts {
  /** Architecture → "name number, …", relative to the architecture's base. */
  readonly numbers: Readonly<Record<ArchitectureName, string>>;
  /** Release → "name, name on ARCHITECTURE+ARCHITECTURE, …". */
  readonly newerThan5_7: Readonly<Record<string, string>>;
}

const facts = JSON.parse(readFileSync(`${repository}/test/data/syscall-facts.json`, "utf8")) as Facts;
const WHOLE: ReadonlySet<string> = new Set(["loongarch64", "m68k", "sh"]);
const BASES: Readonly<Record<string, number>> = { x32: 0x40000000, mips: 4000, mips64: 5000, mips64n32: 6000 };

/** Architectures of the other byte order have their twin's table. */
const TWINS = { ppc64le: "ppc64", mipsel: "mips", mipsel64: "mips64", mipsel64n32: "mips64n32", sheb: "sh" } as const;

test("numbers that the installed libseccomp is too old for are those of its newest table", () => {
  let compared = 0;
  for (const name of architectures.keys()) {
    const noted = facts.numbers[(TWINS as Partial<Record<ArchitectureName, ArchitectureName>>)[name] ?? name];
    const base = BASES[(TWINS as Partial<Record<ArchitectureName, string>>)[name] ?? name] ?? 0;
    const theirs = noted.split(", ").map((entry) => entry.split(" ") as [string, string]);
    const { numbers } = syscallTable(name);
    const isNoted = new Set(theirs.map(([call]) => call));
    const ours = [...numbers].filter(
      ([call]) => isWhole(name) || isNoted.has(call) || releaseOf(name, call) >= FIRST_UNKNOWN,
    );
    assert.deepEqual(
      Object.fromEntries(ours.map(([call, number]) => [call, number - base])),
      Object.fromEntries(theirs.map(([call, number]) => [call, Number(number)])),
      name,
    );
    compared += theirs.length;
  }
  assert.ok(compared > 2000, `only ${compared} numbers were compared`);
});

function isWhole(name: ArchitectureName): boolean {
  return WHOLE.has((TWINS as Partial<Record<ArchitectureName, string>>)[name] ?? name);
}

test("no call is dated later than the first of libseccomp's tables that has it", () => {
  const releases = Object.keys(facts.newerThan5_7);
  let compared = 0;
  for (const [release, calls] of Object.entries(facts.newerThan5_7)) {
    const before = releases[releases.indexOf(release) - 1] ?? "5.7";
    for (const entry of calls.split(", ")) {
      const [call = "", where] = entry.split(" on ");
      for (const name of (where?.split("+") ?? ["x86_64", "aarch64"]) as ArchitectureName[]) {
        const ours = releaseOf(name, call);
        assert.ok(ours <= parseRelease(release), `${call} on ${name}: ${ours} is later than ${release}`);
        // A table may lag behind the kernel by a release or two, not by years.
        assert.ok(ours > parseRelease(before) - 10_000, `${call} on ${name}: ${ours} is long before ${release}`);
        compared += 1;
      }
    }
  }
  assert.ok(compared > 60, `only ${compared} calls were compared`);
});
