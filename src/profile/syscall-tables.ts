/**
 * System call numbers and the kernel release of each call, decoded from `profiles/syscalls/` on first use of an
 * architecture. `scripts/generate-syscalls.ts` writes the files and says where the facts come from.
 */
import aarch64 from "../../profiles/syscalls/aarch64.json" with { type: "json" };
import arm from "../../profiles/syscalls/arm.json" with { type: "json" };
import loongarch64 from "../../profiles/syscalls/loongarch64.json" with { type: "json" };
import m68k from "../../profiles/syscalls/m68k.json" with { type: "json" };
import mips from "../../profiles/syscalls/mips.json" with { type: "json" };
import mips64 from "../../profiles/syscalls/mips64.json" with { type: "json" };
import mips64n32 from "../../profiles/syscalls/mips64n32.json" with { type: "json" };
import parisc from "../../profiles/syscalls/parisc.json" with { type: "json" };
import parisc64 from "../../profiles/syscalls/parisc64.json" with { type: "json" };
import ppc from "../../profiles/syscalls/ppc.json" with { type: "json" };
import ppc64 from "../../profiles/syscalls/ppc64.json" with { type: "json" };
import releases from "../../profiles/syscalls/releases.json" with { type: "json" };
import riscv64 from "../../profiles/syscalls/riscv64.json" with { type: "json" };
import s390 from "../../profiles/syscalls/s390.json" with { type: "json" };
import s390x from "../../profiles/syscalls/s390x.json" with { type: "json" };
import sh from "../../profiles/syscalls/sh.json" with { type: "json" };
import x32 from "../../profiles/syscalls/x32.json" with { type: "json" };
import x86 from "../../profiles/syscalls/x86.json" with { type: "json" };
import x86_64 from "../../profiles/syscalls/x86_64.json" with { type: "json" };
import type { ArchitectureName } from "./architectures.ts";

interface TableFile {
  /** Added to every number. */
  readonly offset: number;
  /** First number of a run → the names of the run; aliases of one number are joined with "/". */
  readonly calls: Readonly<Record<string, string>>;
}

/** Byte order does not change numbers: the little-endian architectures share the tables of their twins. */
const files: Readonly<Record<ArchitectureName, TableFile>> = {
  x86,
  x86_64,
  x32,
  arm,
  aarch64,
  riscv64,
  loongarch64,
  ppc,
  ppc64,
  ppc64le: ppc64,
  s390,
  s390x,
  mips,
  mips64,
  mips64n32,
  mipsel: mips,
  mipsel64: mips64,
  mipsel64n32: mips64n32,
  m68k,
  parisc,
  parisc64,
  sh,
  sheb: sh,
};

/**
 * Where a second block of numbers begins, above the table that grows with each kernel: arm's calls of the processor's
 * own (`cacheflush`, `set_tls`), and x32's variants of calls whose structures differ from x86_64's.
 */
const secondBlockOffset: Readonly<Partial<Record<ArchitectureName, number>>> = { arm: 0xf0000, x32: 512 };

export interface SyscallTable {
  /** Unsigned 32-bit `seccomp_data.nr` by name; x32 numbers carry bit 30. */
  readonly numbers: ReadonlyMap<string, number>;
  /** The names of a number, aliases in alphabetical order; ascending by number. */
  readonly names: ReadonlyMap<number, readonly string[]>;
  /** The largest number before the second block: where the next kernel's calls will follow. */
  readonly largest: number;
  /** First and last number of the second block, where the architecture has one. */
  readonly secondBlock?: readonly [number, number];
}

const tables = new Map<ArchitectureName, SyscallTable>();

export function syscallTable(architecture: ArchitectureName): SyscallTable {
  const known = tables.get(architecture);
  if (known !== undefined) return known;
  const file = files[architecture];
  const end = secondBlockOffset[architecture] ?? Infinity;
  const numbers = new Map<string, number>();
  const names = new Map<number, readonly string[]>();
  let largest = 0;
  let secondBlock: [number, number] | undefined;
  for (const [first, run] of Object.entries(file.calls)) {
    let number = Number(first) + file.offset;
    for (const word of run.split(" ")) {
      const aliases = word.split("/");
      for (const alias of aliases) numbers.set(alias, number);
      names.set(number, aliases);
      if (number - file.offset < end) largest = number;
      else secondBlock = [secondBlock?.[0] ?? number, number];
      number += 1;
    }
  }
  const table = { numbers, names, largest, ...(secondBlock === undefined ? {} : { secondBlock }) };
  tables.set(architecture, table);
  return table;
}

/**
 * A kernel release as one number that compares as releases do: `major × 10⁶ + minor × 10³ + patch`. Calls of Linux 2.4
 * and before are 0.
 */
export type Release = number;

export function parseRelease(release: string): Release {
  const [major = 0, minor = 0, patch = 0] = release.split(".").map(Number);
  return major * 1_000_000 + minor * 1_000 + patch;
}

interface ReleaseGroup {
  readonly release: Release;
  readonly names: readonly string[];
}

/** The sections of `releases.json`: `all`, and what single architectures got later than the others. */
const sections: Readonly<Record<string, Readonly<Record<string, string>>>> = releases;

const releaseGroups = new Map<ArchitectureName, readonly ReleaseGroup[]>();

/** Calls by the release in which they appeared on an architecture, the newest first. */
function groupsOf(architecture: ArchitectureName): readonly ReleaseGroup[] {
  const known = releaseGroups.get(architecture);
  if (known !== undefined) return known;
  const decode = (section: string): ReleaseGroup[] =>
    Object.entries(sections[section] ?? {}).map(([release, names]) => ({
      release: parseRelease(release),
      names: names.split(" "),
    }));
  const own = decode(architecture);
  const late = new Set(own.flatMap(({ names }) => names));
  const shared = decode("all").map((group) =>
    late.size === 0 ? group : { ...group, names: group.names.filter((name) => !late.has(name)) },
  );
  const groups = [...shared, ...own].sort((a, b) => b.release - a.release);
  releaseGroups.set(architecture, groups);
  return groups;
}

/** The release in which a call appeared on an architecture. */
export function releaseOf(architecture: ArchitectureName, name: string): Release {
  return groupsOf(architecture).find(({ names }) => names.includes(name))?.release ?? 0;
}

/**
 * The calls of an architecture that are newer, by kernel release, than the newest one for which `isNamed` holds;
 * undefined when it holds for none.
 */
export function callsNewerThan(
  architecture: ArchitectureName,
  isNamed: (name: string) => boolean,
): ReadonlySet<string> | undefined {
  const { numbers } = syscallTable(architecture);
  const newer = new Set<string>();
  for (const { names } of groupsOf(architecture)) {
    const present = names.filter((name) => numbers.has(name));
    if (present.some(isNamed)) return newer;
    for (const name of present) newer.add(name);
  }
  return [...numbers.keys()].some(isNamed) ? newer : undefined;
}

let everyName: string | undefined;

/** Whether any architecture has a call of this name. Searches text, because decoding every table takes milliseconds. */
export function isKnownCall(name: string): boolean {
  everyName ??= [...new Set(Object.values(files))]
    .flatMap(({ calls }) => Object.values(calls))
    .map((run) => ` ${run.replaceAll("/", " ")} `)
    .join("");
  return everyName.includes(` ${name} `);
}
