/**
 * Writes `profiles/syscalls/*.json`: the system calls of every architecture of the OCI Spec with their numbers, and the
 * kernel release in which each call appeared. Three sources, in this order: the kernel's own uapi headers as Debian
 * packages them (linux-libc-dev and linux-libc-dev-ARCH-cross), preprocessed with gcc -E; the list of syscalls(2) from
 * manpages-dev for the releases; and the tables below for what is newer than those packages. Run it again when a kernel
 * adds calls: `node build/scripts/generate-syscalls.js`.
 *
 * The files are compact because they are loaded whenever a profile is compiled: a run of consecutive numbers is one
 * string of names under the run's first number.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

interface HeaderSource {
  /** Directory that holds `asm/unistd.h`, and a second one for `asm-generic` where they differ. */
  readonly include: readonly string[];
  /** Replaces `#include <asm/unistd.h>`. */
  readonly source?: string;
  /** Added to every number: a call's number is relative to it in the file. */
  readonly offset: number;
}

const cross = (triplet: string): readonly string[] => [`/usr/${triplet}/include`];
const native = cross("x86_64-linux-gnux32");

const genericSource = (defines: readonly string[]): string =>
  ["__SIZEOF_POINTER__ 8", ...defines].map((define) => `#define ${define}\n`).join("") +
  "#include <asm-generic/unistd.h>";

const mips = (file: string, offset: number): HeaderSource => ({
  include: cross("mips-linux-gnu"),
  source: `#define __NR_Linux ${offset}\n#include <asm/${file}>`,
  offset,
});

const X32_SYSCALL_BIT = 0x40000000;

const headers: Readonly<Record<string, HeaderSource>> = {
  x86: { include: native, source: "#include <asm/unistd_32.h>", offset: 0 },
  x86_64: { include: native, source: "#include <asm/unistd_64.h>", offset: 0 },
  x32: {
    include: native,
    source: `#define __X32_SYSCALL_BIT ${X32_SYSCALL_BIT}\n#include <asm/unistd_x32.h>`,
    offset: X32_SYSCALL_BIT,
  },
  arm: { include: cross("arm-linux-gnueabihf"), source: "#define __ARM_EABI__\n#include <asm/unistd.h>", offset: 0 },
  aarch64: { include: cross("aarch64-linux-gnu"), offset: 0 },
  riscv64: {
    include: cross("riscv64-linux-gnu"),
    source: "#define __LP64__\n#define __SIZEOF_POINTER__ 8\n#include <asm/unistd.h>",
    offset: 0,
  },
  // No Debian 12 package: the kernel's own asm/unistd.h is these two defines and asm-generic.
  loongarch64: {
    include: cross("riscv64-linux-gnu"),
    source: genericSource(["__ARCH_WANT_SYS_CLONE", "__ARCH_WANT_SYS_CLONE3"]),
    offset: 0,
  },
  ppc: { include: cross("powerpc-linux-gnu"), source: "#include <asm/unistd_32.h>", offset: 0 },
  ppc64: { include: cross("powerpc64-linux-gnu"), source: "#include <asm/unistd_64.h>", offset: 0 },
  s390: { include: cross("s390x-linux-gnu"), source: "#include <asm/unistd_32.h>", offset: 0 },
  s390x: { include: cross("s390x-linux-gnu"), source: "#include <asm/unistd_64.h>", offset: 0 },
  mips: mips("unistd_o32.h", 4000),
  mips64: mips("unistd_n64.h", 5000),
  mips64n32: mips("unistd_n32.h", 6000),
  m68k: { include: cross("m68k-linux-gnu"), offset: 0 },
  parisc: { include: cross("hppa-linux-gnu"), source: "#include <asm/unistd_32.h>", offset: 0 },
  parisc64: { include: cross("hppa-linux-gnu"), source: "#include <asm/unistd_64.h>", offset: 0 },
  sh: { include: cross("sh4-linux-gnu"), offset: 0 },
};

/**
 * Calls since Linux 6.2: from 424 on a call has one number on every architecture (arch/…/syscall.tbl and
 * scripts/syscall.tbl of the kernel). `[first number, release, names]`.
 */
const unified: readonly (readonly [number, string, string])[] = [
  [451, "6.5", "cachestat"],
  [452, "6.6", "fchmodat2 map_shadow_stack"],
  [454, "6.7", "futex_wake futex_wait futex_requeue"],
  [457, "6.8", "statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules"],
  [462, "6.10", "mseal"],
  [463, "6.13", "setxattrat getxattrat listxattrat removexattrat"],
  [467, "6.15", "open_tree_attr"],
  [468, "6.17", "file_getattr file_setattr"],
  [470, "6.19", "listns"],
  [471, "7.0", "rseq_slice_yield"],
];

/** The kernel dropped 31-bit s390 programs in Linux 6.19, so their table ends before that. */
const lastUnified: Readonly<Record<string, number>> = { s390: 469 };

/** Calls of single architectures that are newer than the headers: number relative to the architecture's offset. */
const additions: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x86_64: { uretprobe: 335, uprobe: 336 },
  x32: { uretprobe: 335, uprobe: 336 },
  riscv64: { riscv_hwprobe: 258 },
  loongarch64: { newfstatat: 79, fstat: 80 },
  s390: { memfd_secret: 447 },
  s390x: { memfd_secret: 447 },
  parisc: { cacheflush: 356 },
  parisc64: { cacheflush: 356 },
  sh: { sync_file_range2: 388 },
};

/** Releases of calls that syscalls(2) does not list, or lists for another architecture than the one named. */
const releases: Readonly<Record<string, string>> = {
  "2.6.0":
    "fadvise64_64 fstatat64 epoll_ctl_old epoll_wait_old timer_settime timer_gettime utimes lookup_dcookie statfs64 fstatfs64",
  "2.6.16": "newfstatat fstatat64",
  "2.6.22": "arm_sync_file_range",
  "5.1":
    "clock_gettime64 clock_settime64 clock_adjtime64 clock_getres_time64 clock_nanosleep_time64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 utimensat_time64 pselect6_time64 ppoll_time64 io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64 semtimedop_time64 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64",
  "4.3": "membarrier",
  "5.12": "mount_setattr",
  "5.13": "landlock_create_ruleset",
  "5.14": "quotactl_fd memfd_secret",
  "5.15": "process_mrelease",
  "5.16": "futex_waitv",
  "5.17": "set_mempolicy_home_node",
  "6.4": "riscv_hwprobe",
  "6.11": "uretprobe",
  "6.18": "uprobe",
};

/** `ARCHITECTURE`: calls that it got later than the others. */
const architectureReleases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  x86: {
    "4.3":
      "socket socketpair bind connect listen accept4 getsockopt setsockopt getsockname getpeername sendto sendmsg recvfrom recvmsg shutdown",
    "4.12": "arch_prctl",
    "5.1": "semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl",
  },
  s390: {
    "4.3":
      "socket socketpair bind connect listen accept4 getsockopt setsockopt getsockname getpeername sendto sendmsg recvfrom recvmsg shutdown recvmmsg sendmmsg",
    "5.1": "semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl",
    "6.3": "memfd_secret",
  },
  s390x: {
    "4.3":
      "socket socketpair bind connect listen accept4 getsockopt setsockopt getsockname getpeername sendto sendmsg recvfrom recvmsg shutdown recvmmsg sendmmsg",
    "5.1": "semtimedop semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl",
    "6.3": "memfd_secret",
  },
  loongarch64: { "6.11": "newfstatat fstat" },
  parisc: { "6.2": "cacheflush" },
  parisc64: { "6.2": "cacheflush" },
  sh: { "6.11": "sync_file_range2" },
};

/** `__NR_` names that are no calls: bases, limits, and the tables' own markers. */
const NOT_A_CALL =
  /^(Linux|Linux_syscalls|(O32|N32|64)_Linux(_syscalls)?|syscalls|arch_specific_syscall|OABI_SYSCALL_BASE|SYSCALL_BASE|SYSCALL_MASK|BASE|reserved.*|unused.*|ni_syscall.*)$/;

function preprocess(source: string, include: readonly string[], flags: readonly string[]): string {
  const directories = include.flatMap((directory) => ["-I", directory]);
  return execFileSync("gcc", ["-E", "-P", "-undef", "-nostdinc", ...directories, ...flags, "-x", "c", "-"], {
    input: source,
    encoding: "utf8",
    maxBuffer: 16 << 20,
  });
}

/** The numbers in headers are sums of decimal and hexadecimal constants in parentheses. */
function evaluateSum(expression: string): number | undefined {
  const plain = expression.replace(/[()\s]/g, "");
  if (!/^(0x[0-9a-fA-F]+|\d+)(\+(0x[0-9a-fA-F]+|\d+))*$/.test(plain)) return undefined;
  return plain.split("+").reduce((sum, term) => sum + Number(term), 0);
}

function readHeaders(architecture: string, { include, source, offset }: HeaderSource): Map<string, number> {
  const text = source ?? "#include <asm/unistd.h>";
  const defined = [...preprocess(text, include, ["-dM"]).matchAll(/^#define __(?:ARM_)?NR_(\w+) /gm)].map(
    ([line, name]) => ({ name: name as string, macro: line.split(" ")[1] as string }),
  );
  const calls = defined.filter(({ name }) => !NOT_A_CALL.test(name));
  const markers = calls.map(({ name, macro }) => `@${name}=${macro}`).join("\n");
  const expanded = preprocess(`${text}\n${markers}\n`, include, []);
  const numbers = new Map<string, number>();
  for (const [, name, expression] of expanded.matchAll(/^@(\w+)=(.+)$/gm)) {
    const number = evaluateSum(expression as string);
    if (number === undefined) throw new Error(`${architecture}: __NR_${name} is "${expression}"`);
    numbers.set(name as string, number - offset);
  }
  return numbers;
}

/** Runs of consecutive numbers; aliases of one number are joined with "/". */
function encodeRuns(calls: ReadonlyMap<string, number>): Record<string, string> {
  const byNumber = new Map<number, string[]>();
  for (const [name, number] of calls) byNumber.set(number, [...(byNumber.get(number) ?? []), name]);
  const runs: Record<string, string> = {};
  let first = Number.NaN;
  let previous = Number.NaN;
  for (const [number, names] of [...byNumber].sort(([a], [b]) => a - b)) {
    const word = names.sort().join("/");
    if (number === previous + 1) runs[first] += ` ${word}`;
    else runs[(first = number)] = word;
    previous = number;
  }
  return runs;
}

function generateTable(architecture: string, source: HeaderSource): ReadonlyMap<string, number> {
  const calls = readHeaders(architecture, source);
  for (const [first, , names] of unified)
    for (const [index, name] of names.split(" ").entries())
      if (first + index <= (lastUnified[architecture] ?? Infinity)) calls.set(name, first + index);
  for (const [name, number] of Object.entries(additions[architecture] ?? {})) calls.set(name, number);
  return calls;
}

/** The table of syscalls(2): `\fBNAME\fP(2)<tab>RELEASE[; backport]<tab>notes`. */
function readManualPage(path: string): Map<string, string> {
  const page = gunzipSync(readFileSync(path)).toString("utf8");
  const found = new Map<string, string>();
  for (const [, name, release] of page.matchAll(/^\\fB(\w+)\\fP\(2\)\t(?:[\d.]+;\s*)?(\d[\d.]*)/gm))
    found.set(name as string, release as string);
  return found;
}

const compareReleases = (a: string, b: string): number => {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

function groupByRelease(calls: ReadonlyMap<string, string>): Record<string, string> {
  const groups = new Map<string, string[]>();
  for (const [name, release] of calls) groups.set(release, [...(groups.get(release) ?? []), name]);
  return Object.fromEntries(
    [...groups]
      .sort(([a], [b]) => compareReleases(a, b))
      .map(([release, names]) => [release, names.sort().join(" ")] as const),
  );
}

function generate(root: string): void {
  const write = (name: string, content: unknown): void =>
    writeFileSync(`${root}profiles/syscalls/${name}.json`, `${JSON.stringify(content, null, 2)}\n`);

  const known = new Set<string>();
  for (const [architecture, source] of Object.entries(headers)) {
    const calls = generateTable(architecture, source);
    for (const name of calls.keys()) known.add(name);
    write(architecture, { offset: source.offset, calls: encodeRuns(calls) });
  }

  const all = new Map<string, string>();
  const manual = readManualPage("/usr/share/man/man2/syscalls.2.gz");
  for (const name of known) {
    const release = manual.get(name);
    if (release !== undefined && compareReleases(release, "2.4") > 0) all.set(name, release);
  }
  for (const [release, names] of Object.entries(releases))
    for (const name of names.split(" ")) if (known.has(name)) all.set(name, release);
  for (const [, release, names] of unified) for (const name of names.split(" ")) all.set(name, release);
  write("releases", { all: groupByRelease(all), ...architectureReleases });

  const silent = [...known].filter((name) => !all.has(name) && !manual.has(name)).sort();
  console.log(`${known.size} calls; taken as old, in no list: ${silent.join(" ")}`);
}

generate(fileURLToPath(new URL("../../", import.meta.url)));
