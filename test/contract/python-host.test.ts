/**
 * The component in a second host: Python with wasmtime (`wasm/hosts/python`), the package from PyPI in a virtual environment
 * of its own. Both hosts must make the same bytes of the same filter.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { loadFilter } from "../../src/engine/seccomp/load-filter.ts";
import { analyseProgram, compileFilter, disassembleInComponent } from "../../src/seccomp/compile.ts";
import { evaluate } from "../../src/seccomp/evaluate.ts";
import type { Filter } from "../../src/seccomp/filter.ts";
import { repository } from "../support/repository.ts";

const host = `${repository}/wasm/hosts/python`;
const environment = `${repository}/build/python-host`;
const python = `${environment}/bin/python`;

/** Why Python cannot run the component here, or null. */
function lacking(): string | null {
  if (existsSync(`${environment}/complete`)) return null;
  mkdirSync(environment, { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", environment], { encoding: "utf8" });
  if (made.error !== undefined) return "no Python (Debian: python3)";
  if (made.status !== 0) return "Python cannot make virtual environments (Debian: python3-venv)";
  // No retries: a machine without PyPI is told at once.
  const flags = ["install", "--quiet", "--retries=0", "--timeout=20", "--disable-pip-version-check"];
  const installed = spawnSync(python, ["-m", "pip", ...flags, "-r", `${host}/requirements.txt`], { encoding: "utf8" });
  if (installed.status !== 0) return `PyPI does not give wasmtime: ${installed.stderr.trim().split("\n").at(-1)}`;
  writeFileSync(`${environment}/complete`, "");
  return null;
}

const WORDS = { NE: "ne", LT: "lt", LE: "le", EQ: "eq", GE: "ge", GT: "gt", MASKED_EQ: "masked-eq" } as const;

/** A filter with the member names of the WIT. */
function spell({ architectures, unknownArchitecture }: Filter): object {
  return {
    "unknown-architecture": unknownArchitecture,
    architectures: architectures.map(({ auditArchitecture, bigEndian, calls, ranges, defaultAction }) => ({
      "audit-architecture": auditArchitecture,
      "big-endian": bigEndian,
      "default-action": defaultAction,
      ranges,
      calls: calls.map(({ number, argumentBits, clauses, otherwise }) => ({
        number,
        "argument-bits": argumentBits,
        otherwise,
        clauses: clauses.map(({ comparisons, action }) => ({
          action,
          comparisons: comparisons.map(({ index, operator, value, mask }) => ({
            index,
            operator: WORDS[operator],
            value: String(value),
            mask: String(mask),
          })),
        })),
      })),
    })),
  };
}

test("Python compiles, disassembles, simulates, analyses and proves as Node does", (context) => {
  const reason = lacking();
  if (reason !== null) {
    context.skip(reason);
    return;
  }
  const { filter } = loadFilter("default", { architectures: ["x86_64", "x86", "x32"], kernel: "6.1" });
  const path = `${environment}/filter.json`;
  writeFileSync(path, JSON.stringify(spell(filter)));
  const component = `${repository}/dist/component/seccomp.wasm`;
  const { status, stdout, stderr } = spawnSync(python, [`${host}/example.py`, component, path], {
    encoding: "utf8",
    maxBuffer: 16 << 20,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  assert.equal(status, 0, stderr);
  const { program } = compileFilter(filter);
  const [section] = filter.architectures;
  assert.ok(section);
  const { auditArchitecture, calls } = section;
  assert.deepEqual(JSON.parse(stdout), {
    version: /^package \S+@(\S+);$/m.exec(readFileSync(`${repository}/wasm/wit/seccomp.wit`, "utf8"))?.[1],
    program: Buffer.from(program).toString("hex"),
    proven: true,
    disassembly: disassembleInComponent(program),
    actions: calls.map(({ number }) =>
      evaluate(filter, {
        number,
        architecture: auditArchitecture,
        instructionPointer: 0n,
        args: [0n, 0n, 0n, 0n, 0n, 0n],
      }),
    ),
    "attach-instructions": analyseProgram(program, [auditArchitecture])[0]?.attachInstructions,
    // The last instruction, KILL_THREAD for unknown architectures, was made LOG.
    difference: [0, 0x7ffc0000],
    refusal: "reason: length, instruction: 0",
  });
});
