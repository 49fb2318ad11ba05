/**
 * The same profile through libseccomp: builds `libseccomp-compile.c`, feeds it what runc would, and gives back the
 * program. Tests that need it are skipped with a reason, which is a failure under REQUIRE_KERNEL=1.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { type ArchitectureName, architectureOf, findArchitecture } from "../../src/profile/architectures.ts";
import type { OciSeccomp } from "../../src/profile/to-oci.ts";
import { actionValue } from "../../src/profile/action.ts";
import { CODE, decodeProgram, encodeProgram, type Instruction } from "../../src/seccomp/bpf.ts";
import { prepareProgram, type PreparedProgram } from "../../src/seccomp/simulate.ts";
import { compileC } from "./compile-c.ts";

let program: string | undefined;
let reason: string | null | undefined;

/** Why libseccomp cannot be asked, or null, after which it can. */
export function lacking(): string | null {
  if (reason !== undefined) return reason;
  if (!existsSync("/usr/include/seccomp.h"))
    return (reason = "libseccomp's headers are missing (Debian: libseccomp-dev)");
  program = compileC("libseccomp-compile", ["-lseccomp"]) ?? undefined;
  return (reason = program === undefined ? "no C compiler (Debian: gcc, libc6-dev)" : null);
}

/** Define a test that asks libseccomp; `tools` are programs it needs besides. */
export function differentialTest(
  name: string,
  tools: readonly string[],
  body: (context: TestContext) => Promise<void> | void,
): void {
  void test(name, async (context) => {
    const missing = tools.find((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
    const lack = missing === undefined ? lacking() : `${missing} is not installed (Debian: ${missing})`;
    if (lack !== null) {
      assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `REQUIRE_KERNEL=1, but ${lack}`);
      context.skip(lack);
      return;
    }
    await body(context);
  });
}

/** Some filters with several rules send libseccomp into an endless loop. */
const PATIENCE_MS = 4_000;

/** What libseccomp said when it made no program. */
export class LibseccompRefusal extends Error {}

/**
 * What the program answers. Its own words explain a failure: it ends early, with the rest of the lines unread.
 * @throws LibseccompRefusal
 */
function ask(lines: readonly string[]): Buffer {
  assert.ok(program !== undefined, "ask whether libseccomp is lacking first");
  const { error, status, signal, stdout, stderr } = spawnSync(program, {
    input: `${lines.join("\n")}\n`,
    maxBuffer: 16 << 20,
    timeout: PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  const said = stderr?.toString("utf8").trimEnd() ?? "";
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT")
    throw new LibseccompRefusal("it does not end");
  // EPIPE only says that the program ended before it had read everything.
  if (error !== undefined && status === null) throw new Error(`Cannot ask libseccomp: ${said}`, { cause: error });
  if (status === 1 && said.startsWith("fail ")) throw new LibseccompRefusal(said.slice("fail ".length));
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, `libseccomp-compile: ${said}`);
  return stdout;
}

/** The names it has for numbers of `seccomp_data`; null where it has none. */
export function namesOfNumbers(numbers: readonly (readonly [ArchitectureName, number])[]): readonly (string | null)[] {
  const names = ask(numbers.map(([architecture, number]) => `name ${architecture} ${number}`));
  return names
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((name) => (name === "-" ? null : name));
}

/** Its SCMP_ARCH_* values, which are the kernel's AUDIT_ARCH_* but for x32. */
export function tokensOf(architectures: readonly ArchitectureName[]): readonly number[] {
  return ask(architectures.map((name) => `token ${name}`))
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map(Number);
}

/** Whether it was built with this architecture. */
export function knowsArchitecture(architecture: ArchitectureName): boolean {
  return program !== undefined && spawnSync(program, { input: `name ${architecture} 0\n` }).status === 0;
}

export interface LibseccompProgram {
  readonly program: PreparedProgram;
  readonly instructionCount: number;
}

const operators: Readonly<Record<string, string>> = { SCMP_CMP_MASKED_EQ: "masked" };

/** Upper halves of SECCOMP_RET_* except KILL_THREAD's 0. */
const RETURN_KINDS: ReadonlySet<number> = new Set([0x8000, 3, 5, 0x7fc0, 0x7ff0, 0x7ffc, 0x7fff]);

/**
 * Compiling for the other byte order, libseccomp (2.5.4, 2.6.0) forgets to swap the returns that it inserts for long
 * jumps. No profile here has actions that both readings would fit.
 */
function repairReturn(instruction: Instruction): Instruction {
  const swapped = new DataView(new ArrayBuffer(4));
  swapped.setUint32(0, instruction.k, true);
  const isAction = (k: number): boolean => k === 0 || RETURN_KINDS.has(k >>> 16);
  return instruction.code === CODE.RET_K && !isAction(instruction.k)
    ? { ...instruction, k: swapped.getUint32(0, false) }
    : instruction;
}

/** What `libseccomp-compile.c` reads. */
function linesOf(oci: OciSeccomp, optimize: 1 | 2): { readonly lines: readonly string[]; readonly bigEndian: boolean } {
  const names = (oci.architectures ?? []).map((name) => findArchitecture(name)).filter((entry) => entry !== undefined);
  const lines = [
    `default ${actionValue(oci.defaultAction, oci.defaultErrnoRet)}`,
    ...names.map(({ name }) => `arch ${name}`),
    ...(optimize === 2 ? ["optimize 2"] : []),
  ];
  for (const rule of oci.syscalls ?? []) {
    const action = actionValue(rule.action, rule.errnoRet);
    const comparisons = (rule.args ?? []).map(
      ({ index, op, value, valueTwo }) =>
        `${index} ${operators[op] ?? op.replace("SCMP_CMP_", "").toLowerCase()} ${value} ${valueTwo ?? 0}`,
    );
    for (const name of rule.names) lines.push(["rule", action, name, ...comparisons].join(" "));
  }
  return { lines, bigEndian: names[0]?.bigEndian ?? false };
}

/** Milliseconds that libseccomp itself takes, from the first rule to the program. */
export function timeOci(oci: OciSeccomp, optimize: 1 | 2): number {
  assert.ok(program !== undefined, "ask whether libseccomp is lacking first");
  const input = `clock\n${linesOf(oci, optimize).lines.join("\n")}\n`;
  const { status, stderr } = spawnSync(program, { input, maxBuffer: 16 << 20 });
  assert.equal(status, 0, String(stderr));
  const [, microseconds] = /^took (\d+)$/m.exec(String(stderr)) ?? [];
  return Number(microseconds) / 1000;
}

/** Compile `linux.seccomp` as runc would. */
export function compileOci(oci: OciSeccomp, optimize: 1 | 2 = 1): LibseccompProgram {
  const { lines, bigEndian } = linesOf(oci, optimize);
  const stdout = ask(lines);
  const instructions = decodeProgram(stdout, bigEndian ? "big" : "little").map(
    bigEndian ? repairReturn : (same) => same,
  );
  return {
    program: prepareProgram(encodeProgram(instructions)),
    instructionCount: instructions.length,
  };
}

/** The byte order `simulate` needs. */
export function isBigEndian(architecture: ArchitectureName): boolean {
  return architectureOf(architecture).bigEndian;
}
