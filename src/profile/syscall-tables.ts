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
const secondBlock: Readonly<Partial<Record<ArchitectureName, number>>> = { arm: 0xf0000, x32: 512 };

export interface SyscallTable {
  /** Unsigned 32-bit `seccomp_data.nr` by name; x32 numbers carry bit 30. */
  readonly numbers: ReadonlyMap<string, number>;
  /** The names of a number, aliases in alphabetical order; ascending by number. */
  readonly names: ReadonlyMap<number, readonly string[]>;
  /** The largest number before the second block: where the next kernel's calls will follow. */
  readonly largest: number;
}

const tables = new Map<ArchitectureName, SyscallTable>();

export function syscallTable(architecture: ArchitectureName): SyscallTable {
  const known = tables.get(architecture);
  if (known !== undefined) return known;
  const file = files[architecture];
  const end = secondBlock[architecture] ?? Infinity;
  const numbers = new Map<string, number>();
  const names = new Map<number, readonly string[]>();
  let largest = 0;
  for (const [first, run] of Object.entries(file.calls)) {
    let number = Number(first) + file.offset;
    for (const word of run.split(" ")) {
      const aliases = word.split("/");
      for (const alias of aliases) numbers.set(alias, number);
      names.set(number, aliases);
      if (number - file.offset < end) largest = number;
      number += 1;
    }
  }
  const table = { numbers, names, largest };
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

const decodedReleases = new Map<string, ReadonlyMap<string, Release>>();

function releasesOf(section: string): ReadonlyMap<string, Release> {
  const known = decodedReleases.get(section);
  if (known !== undefined) return known;
  const decoded = new Map<string, Release>();
  const groups = (releases as Readonly<Record<string, Readonly<Record<string, string>>>>)[section] ?? {};
  for (const [release, names] of Object.entries(groups))
    for (const name of names.split(" ")) decoded.set(name, parseRelease(release));
  decodedReleases.set(section, decoded);
  return decoded;
}

/** The release in which a call appeared on an architecture. */
export function releaseOf(architecture: ArchitectureName, name: string): Release {
  return releasesOf(architecture).get(name) ?? releasesOf("all").get(name) ?? 0;
}

let everyName: ReadonlySet<string> | undefined;

/** Whether any architecture has a call of this name. */
export function isKnownCall(name: string): boolean {
  everyName ??= new Set(
    Object.keys(files).flatMap((architecture) => [...syscallTable(architecture as ArchitectureName).numbers.keys()]),
  );
  return everyName.has(name);
}
