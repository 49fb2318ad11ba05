/** `pycri seccomp compile`, `disasm`, `simulate`, `verify` and `list`, end to end: bytes, exit status and messages. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CODE, decodeProgram, encodeProgram, type Instruction } from "../../src/seccomp/bpf.ts";
import { compileShippedFilters } from "../../scripts/compile-shipped-filters.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { repository } from "../support/repository.ts";
import { output, outputText, pathOf, put, seccomp, take } from "./seccomp-command.ts";

const RULES = put("rules.json", {
  architectures: ["x86_64"],
  default: "errno(EPERM)",
  rules: [
    { call: "read", action: "allow" },
    { call: "personality", action: "allow", when: [{ argument: 0, op: "==", value: 8 }] },
  ],
});
const rules = ["--format-in", "rules", RULES];

const PROFILE = put("profile.json", {
  defaultAction: "SCMP_ACT_ERRNO",
  archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
  syscalls: [
    { names: ["read", "socket"], action: "SCMP_ACT_ALLOW" },
    { names: ["chroot"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_SYS_CHROOT"] } },
    { names: ["ptrace"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" } },
    { names: ["ioctl"], action: "SCMP_ACT_KILL_PROCESS", args: [{ index: 1, value: 21522, op: "SCMP_CMP_EQ" }] },
  ],
});

const ASSEMBLY = `\
0000 ld [4]                              ; architecture
0001 jeq #0xc000003e 0002 0013           ; x86_64
0002 ld [0]                              ; number
0003 jge #0x87 0004 0010
0004 jge #0x88 0005 0007
0005 jge #0x40000000 0006 0012
0006 jeq #0xffffffff 0012 0013
0007 ld [16]                             ; a0, low half
0008 jeq #0x8 0009 0012
0009 ld [20]                             ; a0, high half
0010 jeq #0x0 0011 0012
0011 ret #0x7fff0000                     ; allow
0012 ret #0x50001                        ; errno(EPERM)
0013 ret #0x0                            ; kill_thread
`;

const instruction = (code: number, k: number, jumpTrue = 0, jumpFalse = 0): Instruction => ({
  code,
  k,
  jumpTrue,
  jumpFalse,
});

describe("compile", () => {
  test("bpf is the raw program, on standard output or in a file", () => {
    const bytes = output(["compile", ...rules]);
    assert.equal(bytes.length, ASSEMBLY.trimEnd().split("\n").length * 8);
    assert.deepEqual(decodeProgram(bytes)[0], instruction(CODE.LD_ABS, 4));
    assert.equal(output(["compile", ...rules, "-o", "out.bpf"]).length, 0);
    assert.deepEqual(take("out.bpf"), bytes);
    assert.deepEqual(output(["compile", "--format", "bpf", "--format-in=rules", "-"], take(RULES)), bytes);
  });

  test("cost names the calls that are free and those that run the filter", () => {
    const lines = outputText(["compile", ...rules, "--format", "cost"])
      .trimEnd()
      .split("\n");
    const [row = "", attach = "", free, running = ""] = [lines[1], ...lines.slice(-3)];
    const { instructionCount, measure } = JSON.parse(outputText(["compile", ...rules, "--format", "json"])) as {
      readonly instructionCount: number;
      readonly measure: { readonly worst: number };
    };
    assert.match(row, new RegExp(`^all rewrites +${instructionCount} .* ${measure.worst}$`));
    assert.match(attach, /^x86_64: attaching emulates \d{4} instructions$/);
    assert.equal(free, "  free: read");
    assert.match(running, /^ {2}run the filter: write open .* personality .* 337-423 pidfd_send_signal .* \d+-$/);
  });

  test("asm is what disasm prints", () => {
    assert.equal(outputText(["compile", ...rules, "--format", "asm"]), ASSEMBLY);
    assert.equal(outputText(["disasm", "-"], output(["compile", ...rules])), ASSEMBLY);
    assert.equal(outputText(["disasm", put("rules.bpf", output(["compile", ...rules]))]), ASSEMBLY);
  });

  test("json holds the instructions and what it takes to attach them", () => {
    const { instructions, measure, ...rest } = JSON.parse(outputText(["compile", ...rules, "--format", "json"])) as {
      instructions: [number, number, number, number][];
      measure: { weighted: number; uniform: number; worst: number };
    };
    assert.deepEqual(rest, {
      architectures: ["x86_64"],
      flags: 0,
      byteOrder: "little",
      instructionCount: 14,
      proven: true,
    });
    assert.equal(measure.worst, 10);
    const program = instructions.map(([code, jumpTrue, jumpFalse, k]) => ({ code, jumpTrue, jumpFalse, k }));
    assert.deepEqual(Buffer.from(encodeProgram(program)), output(["compile", ...rules]));
    const profile = JSON.parse(outputText(["compile", PROFILE, "--arch", "x86_64", "--format", "json"])) as {
      flags: number;
    };
    assert.equal(profile.flags, 4, "SPEC_ALLOW");
  });

  test("c compiles, and the array is the bpf form", (context) => {
    const main = `${outputText(["compile", "default", "--arch", "x86_64,x86", "--format", "c"])}
#include <unistd.h>
int main(void) { return write(1, filter, sizeof(filter)) == sizeof(filter) ? 0 : 1; }\n`;
    const compiler = spawnSync("gcc", ["-Wall", "-Wextra", "-Werror", "-x", "c", "-o", pathOf("emit"), "-"], {
      input: main,
    });
    if (compiler.error !== undefined) {
      assert.notEqual(process.env["REQUIRE_KERNEL"], "1", "REQUIRE_KERNEL=1, but there is no gcc");
      context.skip("no C compiler (Debian: gcc, libc6-dev)");
      return;
    }
    assert.equal(compiler.status, 0, compiler.stderr.toString("utf8"));
    const emitted = spawnSync(pathOf("emit"));
    assert.equal(emitted.status, 0);
    assert.deepEqual(emitted.stdout, output(["compile", "default", "--arch", "x86_64,x86"]));
  });

  test("the first architecture gives the byte order", () => {
    const program = put("s390x.bpf", output(["compile", ...rules, "--arch", "s390x"]));
    assert.deepEqual([...take(program).subarray(0, 8)], [0, 0x20, 0, 0, 0, 0, 0, 4]);
    const text = outputText(["compile", ...rules, "--arch", "s390x", "--format", "asm"]);
    assert.equal(outputText(["disasm", "--big-endian", program]), text);
    assert.match(text, /^0004 ld \[20\] +; a0, low half$/m);
    assert.equal(outputText(["verify", ...rules, "--arch", "s390x", program]), PROVEN);
    assert.equal(outputText(["simulate", "--bpf", program, "--arch", "s390x", "personality", "8"]), "allow\n");
  });

  test("capabilities and kernel decide the profile's conditions", () => {
    const answer = (call: string, ...options: readonly string[]): string =>
      outputText(["simulate", PROFILE, "--arch", "x86_64", ...options, call]);
    assert.equal(answer("chroot"), "errno(EPERM)\n");
    for (const name of ["CAP_SYS_CHROOT", "sys_chroot", "ALL", "KILL,SYS_CHROOT"])
      assert.equal(answer("chroot", "--cap", name), "allow\n", name);
    assert.equal(answer("ptrace", "--kernel", "4.7"), "errno(EPERM)\n");
    assert.equal(answer("ptrace", "--kernel", "4.8"), "allow\n");
    assert.equal(answer("ptrace", "--kernel", "5.0.21-rc1"), "allow\n");
  });

  test("weights decide which calls are answered soonest", () => {
    const weighted = (...options: readonly string[]): number => {
      const text = outputText([
        "compile",
        "default",
        "--arch",
        "x86_64",
        "--kernel",
        "5.4",
        "--format",
        "json",
        ...options,
      ]);
      return (JSON.parse(text) as { measure: { weighted: number } }).measure.weighted;
    };
    const table = put("weights.tsv", "call\tweight\n# two hot calls\nlsetxattr 900\nread\t90 # and one warm one\n\n");
    // Nearly all weight lies on one call, which then is not as deep as in a tree of three hundred equal ones.
    assert.ok(weighted("--weights", table) < weighted("--weights", "uniform") - 1.5);
    assert.equal(weighted(), weighted("--weights", "uniform"));
  });

  test("default is the filter that run attaches", (context) => {
    const shipped = compileShippedFilters().find(({ profile }) => profile === "default");
    if (shipped === undefined) {
      context.skip(`no filters are shipped for ${process.arch}`);
      return;
    }
    assert.equal(output(["compile", "default"]).toString("base64"), shipped.program);
  });

  test("unconfined allows everything with one instruction", () => {
    assert.equal(
      outputText(["compile", "unconfined", "--format", "asm"]),
      `${"0000 ret #0x7fff0000".padEnd(40)} ; allow\n`,
    );
  });

  test("warnings go to standard error and change nothing", () => {
    const name = put("warned.json", {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["raed", "read"], action: "SCMP_ACT_LOG" }],
    });
    const { status, stdout, stderr } = seccomp(["compile", name, "--arch", "x86_64"]);
    assert.equal(status, 0);
    assert.ok(stdout.length > 0);
    assert.equal(stderr, 'pycri: warning: /syscalls/0: no architecture has a system call named "raed"\n');
  });

  test("a filter above the kernel's limit names the calls that cost most", () => {
    const large = put("large.json", {
      default: "allow",
      architectures: ["x86_64"],
      rules: Array.from({ length: 1500 }, (_, index) => ({
        call: index % 300,
        action: `errno(${index + 1})`,
        when: [
          { argument: 1, op: "==", value: index * 3 },
          { argument: 2, op: "==", value: index * 7 },
        ],
      })),
    });
    const { status, stdout, stderr } = seccomp(["compile", "--format-in", "rules", large]);
    assert.deepEqual([status, stdout.length], [125, 0]);
    assert.match(
      stderr,
      /^pycri: cannot compile the filter: it needs at least \d+ instructions and the kernel takes 4096\n/,
    );
    assert.match(
      stderr,
      /\nhint: shorten the rules of the calls that cost most: read of x86_64 \(\d+ instructions\), write of x86_64 /,
    );
  });
});

describe("disasm", () => {
  test("names words, architectures and actions, and nothing that only looks like one", () => {
    const program = encodeProgram([
      instruction(CODE.LD_ABS, 16),
      instruction(CODE.JEQ_K, 8, 0, 2),
      instruction(CODE.LD_ABS, 4),
      instruction(CODE.JEQ_K, 0xc00000b7, 1, 0),
      instruction(CODE.JEQ_K, 8, 1, 0),
      instruction(CODE.RET_K, 0x00050026),
      instruction(CODE.RET_K, 0x12345678),
    ]);
    assert.equal(
      outputText(["disasm", "-"], program),
      `\
0000 ld [16]                             ; a0, low half
0001 jeq #0x8 0002 0004
0002 ld [4]                              ; architecture
0003 jeq #0xc00000b7 0005 0004           ; aarch64
0004 jeq #0x8 0006 0005
0005 ret #0x50026                        ; errno(ENOSYS)
0006 ret #0x12345678
`,
    );
  });
});

describe("simulate", () => {
  const answers: readonly (readonly [args: readonly string[], answer: string])[] = [
    [[...rules, "read"], "allow"],
    [[...rules, "0"], "allow"],
    [[...rules, "0x87", "8"], "allow"],
    [[...rules, "personality", "0x100000008"], "errno(EPERM)"],
    [[...rules, "--", "-1"], "errno(EPERM)"],
    [[...rules, "--", "personality", "-1"], "errno(EPERM)"],
    [[...rules, "0x40000000"], "kill_thread"],
    [[PROFILE, "--arch", "x86_64,x86", "ioctl", "3", "0x5412"], "kill_process"],
    [[PROFILE, "--arch", "x86", "socketcall", "1"], "allow"],
    [[PROFILE, "--arch", "x86", "socketcall", "2"], "errno(EPERM)"],
    [[PROFILE, "--arch", "x86_64", "listns"], "errno(ENOSYS)"],
    [["default", "--arch", "amd64", "unshare", "0x10000000"], "errno(EPERM)"],
  ];
  for (const [args, answer] of answers)
    test(args.slice(1).join(" "), () => assert.equal(outputText(["simulate", ...args]), `${answer}\n`));

  test("json says all there is to say", () => {
    assert.deepEqual(JSON.parse(outputText(["simulate", "--json", ...rules, "--", "personality", "-1", "7"])), {
      architecture: "x86_64",
      name: "personality",
      number: 135,
      args: ["0xffffffffffffffff", "0x7", "0x0", "0x0", "0x0", "0x0"],
      action: 0x00050001,
      text: "errno(EPERM)",
      executed: 8,
    });
  });

  test("a program of another compiler, even one that returns what is no action", () => {
    const program = put("other.bpf", encodeProgram([instruction(CODE.RET_K, 0x12345678)]));
    assert.equal(outputText(["simulate", "--bpf", program, "read"]), "0x12345678\n");
  });

  test("vectors: an answer a line, whatever the spelling, the spacing and the end of the line", () => {
    const lines = [
      "x86_64 0",
      "SCMP_ARCH_X86_64 read 1 2 3 4 5 6",
      "amd64\t135   8\r",
      "",
      "0xc000003e 0x87 0x0000000000000008",
      "x86_64 personality 4294967304",
      "x86_64 personality 18446744073709551615",
      "x86_64 -1",
      "x32 read",
      "x86 3",
      "7 0",
    ];
    const expected = `${["allow", "allow", "allow", "allow", ...Array<string>(3).fill("errno(EPERM)"), ...Array<string>(3).fill("kill_thread")].join("\n")}\n`;
    assert.equal(outputText(["simulate", ...rules, "--vectors", "-"], lines.join("\n")), expected);
    assert.equal(outputText(["simulate", ...rules, "--vectors", put("vectors", `${lines.join("\n")}\n`)]), expected);
    assert.equal(outputText(["simulate", ...rules, "--vectors", "-"], ""), "");
  });

  test("vectors: more than fits a read, in order", () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `x86_64 135 ${index % 10} 0xffffffffffffffff`);
    const expected = lines.map((_, index) => (index % 10 === 8 ? "allow\n" : "errno(EPERM)\n")).join("");
    assert.equal(outputText(["simulate", ...rules, "--vectors", "-"], lines.join("\n")), expected);
  });

  test("vectors: the halves of an argument lie as the architecture has them", () => {
    const list = put("big.json", {
      architectures: ["s390x"],
      default: "allow",
      rules: [{ call: "personality", action: "trap", when: [{ argument: 0, op: "==", value: "0x500000001" }] }],
    });
    const lines = "s390x personality 0x500000001\ns390x personality 0x100000005\n";
    assert.equal(outputText(["simulate", "--format-in", "rules", list, "--vectors", "-"], lines), "trap\nallow\n");
  });
});

const PROVEN = "proven: the program answers every call as the profile means it\n";

describe("verify", () => {
  test("status 0 for a program that means the profile, whoever shaped it", () => {
    const options = ["--arch", "x86_64,x86", "--cap", "SYS_CHROOT"];
    for (const kernel of ["4.19", "5.11"]) {
      const program = put("shaped.bpf", output(["compile", PROFILE, ...options, "--kernel", kernel]));
      assert.equal(outputText(["verify", PROFILE, program, ...options]), PROVEN);
    }
  });

  test("status 1 and a call that shows the difference", () => {
    const program = decodeProgram(output(["compile", ...rules])).map((entry) =>
      entry.code === CODE.JEQ_K && entry.k === 8 ? { ...entry, k: 9 } : entry,
    );
    const { status, stdout, stderr } = seccomp(["verify", ...rules, put("wrong.bpf", encodeProgram(program))]);
    assert.deepEqual([status, stderr], [1, ""]);
    assert.match(
      stdout.toString("utf8"),
      /^refuted: x86_64 personality \(135\) with 0x[89], 0x0, 0x0, 0x0, 0x0, 0x0: the profile says (allow, the program errno\(EPERM\)|errno\(EPERM\), the program allow)\n$/,
    );
    const json = seccomp(["verify", "--json", ...rules, "wrong.bpf"]);
    assert.equal(json.status, 1);
    const { verdict, difference } = JSON.parse(json.stdout.toString("utf8")) as {
      verdict: string;
      difference: { architecture: string; name: string };
    };
    assert.deepEqual([verdict, difference.architecture, difference.name], ["refuted", "x86_64", "personality"]);
  });

  test("status 2 when the program computes what the proof cannot follow", () => {
    const product = encodeProgram([
      instruction(CODE.LD_ABS, 16),
      instruction(CODE.TAX, 0),
      instruction(CODE.LD_ABS, 24),
      instruction(CODE.MUL_X, 0),
      instruction(CODE.JEQ_K, 12, 0, 1),
      instruction(CODE.RET_K, 0x7fff0000),
      instruction(CODE.RET_K, 0),
    ]);
    const { status, stdout, stderr } = seccomp(["verify", ...rules, "-"], product);
    assert.deepEqual(
      [status, stdout.toString("utf8"), stderr],
      [2, "undecided: instruction 3 computes what the proof cannot follow\n", ""],
    );
  });

  test("a filter of libseccomp's shape: comparisons in another order, tests repeated", () => {
    const program = encodeProgram([
      instruction(CODE.LD_ABS, 4),
      instruction(CODE.JEQ_K, 0xc000003e, 1, 0),
      instruction(CODE.RET_K, 0),
      instruction(CODE.LD_ABS, 0),
      instruction(CODE.JGE_K, 0x40000000, 0, 2),
      instruction(CODE.JEQ_K, 0xffffffff, 1, 0),
      instruction(CODE.RET_K, 0),
      instruction(CODE.JEQ_K, 0, 6, 0),
      instruction(CODE.JEQ_K, 135, 0, 4),
      instruction(CODE.LD_ABS, 20),
      instruction(CODE.JEQ_K, 0, 0, 2),
      instruction(CODE.LD_ABS, 16),
      instruction(CODE.JEQ_K, 8, 1, 0),
      instruction(CODE.RET_K, 0x00050001),
      instruction(CODE.RET_K, 0x7fff0000),
    ]);
    assert.equal(outputText(["verify", ...rules, "-"], program), PROVEN);
  });
});

describe("list", () => {
  test("every call once, by what becomes of it", () => {
    const text = outputText(["list", ...rules]);
    assert.match(text, /^# x86_64\nerrno\(EPERM\) \(\d+\)\n {2}write open close /);
    assert.ok(
      text.endsWith(`allow (1)
  read
by arguments (1)
  personality
    allow when a0 == 0x8
    errno(EPERM) otherwise
anything else: errno(EPERM)
`),
      text.slice(-200),
    );
    assert.equal(outputText(["list", "unconfined"]), "No call is filtered.\n");
  });

  test("json", () => {
    const [listing] = JSON.parse(outputText(["list", "--json", ...rules])) as [
      { architecture: string; defaultAction: string; calls: Record<string, object[]>; conditional: object[] },
    ];
    assert.equal(listing.architecture, "x86_64");
    assert.equal(listing.defaultAction, "errno(EPERM)");
    assert.deepEqual(listing.calls["allow"], [{ name: "read", number: 0 }]);
    assert.deepEqual(listing.conditional, [
      {
        name: "personality",
        number: 135,
        clauses: [{ action: "allow", comparisons: ["a0 == 0x8"] }],
        otherwise: "errno(EPERM)",
      },
    ]);
  });
});

describe("bad input", () => {
  put("broken.json", "{");
  put("unknown.json", { defaultAction: "SCMP_ACT_ALLOW", sysclals: [], flagz: [] });
  put("weights.bad", "read 5\nwrite -1\n");
  put("weights.unknown", "raed 5\n");
  put("weights.twice", "read 5\nread 6\n");
  put("cut.bpf", "1234567");
  put("empty.bpf", "");
  put("code.bpf", encodeProgram([instruction(0xff, 0)]));
  put("long.bpf", new Uint8Array(5000 * 8));
  put("endless.bpf", encodeProgram([instruction(CODE.LD_ABS, 0)]));
  const PROFILE_HINT = "hint: give the path of a JSON profile, or one of: default, baseline, strict, ci, unconfined\n";
  const CODE_HINT =
    "hint: a program is a raw struct sock_filter[] of instructions that seccomp(2) allows, as compile writes it\n";
  const ORDER_HINT =
    "hint: name the architecture that it was compiled for first with --arch; for disasm, --big-endian\n";
  put("big.bpf", encodeProgram([instruction(CODE.RET_K, 0)], "big"));
  const LINE_HINT = "hint: a line is: architecture, call, up to six arguments\n";
  const table: readonly (readonly [args: readonly string[], stderr: string, input?: string])[] = [
    [["compile", "nope.json"], `pycri: cannot read "nope.json": ENOENT\n${PROFILE_HINT}`],
    [["compile", "/"], 'pycri: cannot read "/": EISDIR\n'],
    [["compile", "/dev/zero"], 'pycri: cannot read "/dev/zero": it has more than 16777216 bytes\n'],
    [
      ["compile", "unknown.json"],
      'pycri: invalid seccomp profile at /sysclals: unknown member "sysclals" (and 1 more)\n  /sysclals: unknown member "sysclals"\n  /flagz: unknown member "flagz"\n',
    ],
    [
      ["compile", "default", "--arch", "x86_64,z80"],
      'pycri: cannot use the architecture "z80": no such architecture\nhint: names are those of the OCI Spec, x86_64 or SCMP_ARCH_X86_64\n',
    ],
    [
      ["compile", "default", "--cap", "SYS_ADMN"],
      'pycri: cannot use the capability "SYS_ADMN": no such capability\nhint: names are those of capabilities(7), SYS_ADMIN or CAP_SYS_ADMIN, and ALL\n',
    ],
    [
      ["compile", "default", "--kernel", "5"],
      'pycri: cannot use the kernel version "5"\nhint: write MAJOR.MINOR, as in 5.10\n',
    ],
    [
      ["compile", "default", "--kernel", "5.x"],
      'pycri: cannot use the kernel version "5.x"\nhint: write MAJOR.MINOR, as in 5.10\n',
    ],
    [
      ["compile", "default", "--format", "elf"],
      'pycri: cannot use --format: "elf"\nhint: the value is one of: bpf, c, json, asm, cost\n',
    ],
    [
      ["compile", ...rules, "--cap", "CHOWN"],
      "pycri: cannot use capabilities with a rule list: its rules ask for none\n",
    ],
    [["compile", "default", "-o", "no/where"], 'pycri: cannot write "no/where": ENOENT\n'],
    [
      ["compile", "default", "--weights", "weights.bad"],
      'pycri: cannot read the weights in "weights.bad": line 2 is "write -1"\nhint: write a call\'s name and a positive number on each line\n',
    ],
    [
      ["compile", "default", "--weights", "weights.unknown"],
      'pycri: cannot read the weights in "weights.unknown": line 1 names "raed", which no architecture has\nhint: write a call\'s name and a positive number on each line\n',
    ],
    [
      ["compile", "default", "--weights", "weights.twice"],
      'pycri: cannot read the weights in "weights.twice": line 2 names "read" again\nhint: write a call\'s name and a positive number on each line\n',
    ],
    [["disasm", "nope.bpf"], 'pycri: cannot read "nope.bpf": ENOENT\n'],
    [
      ["disasm", "cut.bpf"],
      "pycri: cannot use the BPF program: 7 bytes are no whole number of instructions\nhint: a program is a raw struct sock_filter[], 8 bytes an instruction\n",
    ],
    [
      ["disasm", "empty.bpf"],
      "pycri: cannot use the BPF program: it has 0 instructions\nhint: a program has 1 to 4096 instructions\n",
    ],
    [["disasm", "code.bpf"], `pycri: cannot use the BPF program: instruction 0 is invalid (code)\n${CODE_HINT}`],
    [["disasm", "long.bpf"], 'pycri: cannot read "long.bpf": it has more than 32776 bytes\n'],
    [
      ["disasm", "endless.bpf"],
      "pycri: cannot use the BPF program: instruction 0 is invalid (no-return)\nhint: the last instruction returns\n",
    ],
    [["disasm", "big.bpf"], `pycri: cannot use the BPF program: it is big-endian\n${ORDER_HINT}`],
    [["verify", "default", "big.bpf"], `pycri: cannot use the BPF program: it is big-endian\n${ORDER_HINT}`],
    [["simulate", "--bpf", "big.bpf", "read"], `pycri: cannot use the BPF program: it is big-endian\n${ORDER_HINT}`],
    [
      ["simulate", "--bpf", "code.bpf", "read"],
      `pycri: cannot use the BPF program: instruction 0 is invalid (code)\n${CODE_HINT}`,
    ],
    [["simulate", ...rules], "pycri: the operand CALL is missing\nhint: see --help\n"],
    [
      ["simulate", ...rules, "raed"],
      'pycri: "raed" is no system call of x86_64 and no call number\nhint: numbers are decimal or 0x digits of 32 bits; --arch names the architecture\n',
    ],
    [
      ["simulate", ...rules, "4294967296"],
      'pycri: "4294967296" is no system call of x86_64 and no call number\nhint: numbers are decimal or 0x digits of 32 bits; --arch names the architecture\n',
    ],
    [
      ["simulate", ...rules, "read", ..."1234567"],
      "pycri: cannot simulate 7 arguments: a system call has six at most\n",
    ],
    [
      ["simulate", ...rules, "read", "0x1ffffffffffffffff"],
      'pycri: cannot use the argument "0x1ffffffffffffffff": it is no 64-bit number\nhint: arguments are decimal or 0x digits\n',
    ],
    [["simulate", ...rules, "--vectors", "-", "read"], 'pycri: cannot use "read": --vectors names the calls\n'],
    [
      ["simulate", "-", "--vectors", "-"],
      "pycri: cannot read both the filter and the calls from standard input\nhint: name a file for one of them\n",
    ],
    [["simulate", ...rules, "--vectors", "nope"], 'pycri: cannot read "nope": ENOENT\n'],
    [
      ["simulate", ...rules, "--vectors", "-"],
      `pycri: cannot simulate line 2: "z80" is no architecture\n${LINE_HINT}`,
      "x86_64 0\nz80 0\n",
    ],
    [
      ["simulate", ...rules, "--vectors", "-"],
      `pycri: cannot simulate line 1: the call's number is missing\n${LINE_HINT}`,
      "x86_64\n",
    ],
    [
      ["simulate", ...rules, "--vectors", "-"],
      `pycri: cannot simulate line 1: "raed" is no number\n${LINE_HINT}`,
      "x86_64 raed\n",
    ],
    [
      ["simulate", ...rules, "--vectors", "-"],
      `pycri: cannot simulate line 1: it has more than six arguments\n${LINE_HINT}`,
      "x86_64 0 1 2 3 4 5 6 7\n",
    ],
    [
      ["simulate", ...rules, "--vectors", "-"],
      `pycri: cannot simulate line 1: 18446744073709551616 has more than 64 bits\n${LINE_HINT}`,
      "x86_64 0 18446744073709551616\n",
    ],
    [
      ["simulate", ...rules, "--vectors", "-"],
      "pycri: line 2 is longer than 1024 bytes\n",
      `x86_64 0\n${"9".repeat(5000)}`,
    ],
    [["verify", "default"], "pycri: missing required argument 'PROGRAM'\nhint: see 'pycri seccomp verify --help'\n"],
    [
      ["verify", "-", "-"],
      "pycri: cannot read both the profile and the program from standard input\nhint: name a file for one of them\n",
    ],
    [
      ["verify", "default", "code.bpf"],
      `pycri: cannot use the BPF program: instruction 0 is invalid (code)\n${CODE_HINT}`,
    ],
    [["list", "nope"], `pycri: cannot read "nope": ENOENT\n${PROFILE_HINT}`],
    [["explode"], "pycri: unknown command 'explode'\nhint: see 'pycri seccomp --help'\n"],
  ];
  for (const [args, expected, input] of table)
    test(args.join(" ").slice(0, 90), () => {
      const { status, stderr } = seccomp(args, input);
      assert.deepEqual({ status, stderr }, { status: 125, stderr: expected });
    });

  test("text that is no JSON, quoted by position", () => {
    const { status, stderr } = seccomp(["compile", "broken.json"]);
    assert.equal(status, 125);
    assert.match(stderr, /^pycri: invalid seccomp profile: not JSON: /);
  });
});

test("the answer of a bulk run that fails is not lost: lines before the faulty chunk are printed", () => {
  const good = "x86_64 0\n".repeat(300_000);
  const { status, stdout } = seccomp(["simulate", ...rules, "--vectors", "-"], `${good}x86_64\n`);
  assert.equal(status, 125);
  assert.match(stdout.subarray(0, 12).toString("utf8"), /^allow\nallow\n$/);
});

describe("what is written to be typed runs", () => {
  const shim = put("pycri", `#!/bin/sh\nexec "${process.execPath}" "${repository}/dist/pycri.cjs" "$@"\n`);
  chmodSync(pathOf(shim), 0o755);
  put("calls", "x86_64 read 0\n");

  const sh = (command: string): number | null =>
    spawnSync("sh", ["-ec", command], {
      cwd: pathOf("."),
      env: { PATH: `${pathOf(".")}:${process.env["PATH"] ?? ""}` },
      stdio: ["ignore", "ignore", "inherit"],
    }).status;

  test("the examples of docs/seccomp.md", () => {
    const [, block = ""] = /```sh\n([^`]*)```/.exec(readFileSync(`${repository}/docs/seccomp.md`, "utf8")) ?? [];
    const commands = block.split("\n").filter((line) => line !== "");
    assert.ok(commands.length > 8);
    for (const command of commands) assert.equal(sh(command), 0, command);
  });

  test("the examples of the commands' help", () => {
    const examples = COMMANDS.filter(({ path }) => path[0] === "seccomp").flatMap((command) => command.examples ?? []);
    assert.ok(examples.length > 7);
    const filter = output(["compile", PROFILE, "--arch", "aarch64"]);
    for (const { command } of examples) {
      put("filter.bpf", filter);
      assert.equal(sh(command), 0, command);
    }
  });
});
