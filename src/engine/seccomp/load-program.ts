/** BPF programs from a caller's memory or a file, checked as the kernel checks them before anything looks at them. */
import { RuntimeError } from "../../errors.ts";
import {
  type ByteOrder,
  decodeProgram,
  encodeProgram,
  findFlaw,
  INSTRUCTION_LIMIT,
  INSTRUCTION_SIZE,
  type ProgramFlaw,
} from "../../seccomp/bpf.ts";
import { readProgram } from "./read-input.ts";

/** A raw `struct sock_filter[]`, or its path. */
export type ProgramSource = string | Uint8Array;

/** What each flaw means to the one who brought the program. */
const EXPLANATIONS: Readonly<Record<ProgramFlaw["reason"], string>> = {
  length: `a program has 1 to ${INSTRUCTION_LIMIT} instructions`,
  code: "a program is a raw struct sock_filter[] of instructions that seccomp(2) allows, as compile writes it",
  "load-offset": "a filter loads whole words of the 64 bytes of struct seccomp_data",
  "memory-index": "there are 16 words of scratch memory",
  "memory-uninitialised": "a word of scratch memory is written on every way to where it is read",
  "jump-range": "jumps stay inside of the program",
  "division-by-zero": "a constant divisor is not zero",
  "shift-range": "a constant shift is by less than 32",
  "no-return": "the last instruction returns",
};

/**
 * @returns the program's bytes in little-endian order
 * @throws RuntimeError INVALID_DOCUMENT for what the kernel would refuse; IO
 */
export function loadProgram(source: ProgramSource, order: ByteOrder): Uint8Array {
  const bytes = typeof source === "string" ? readProgram(source) : source;
  if (bytes.length % INSTRUCTION_SIZE !== 0)
    throw new RuntimeError(
      "INVALID_DOCUMENT",
      `Cannot use the BPF program: ${bytes.length} bytes are no whole number of instructions`,
      {
        hint: `a program is a raw struct sock_filter[], ${INSTRUCTION_SIZE} bytes an instruction`,
      },
    );
  const instructions = decodeProgram(bytes, order);
  const flaw = findFlaw(instructions);
  if (flaw === null) return order === "little" ? bytes : encodeProgram(instructions);
  const other = order === "little" ? "big" : "little";
  if (findFlaw(decodeProgram(bytes, other)) === null)
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot use the BPF program: it is ${other}-endian`, {
      hint: "name the architecture that it was compiled for first with --arch; for disasm, --big-endian",
      details: { ...flaw },
    });
  const place =
    flaw.reason === "length"
      ? `it has ${instructions.length} instructions`
      : `instruction ${flaw.instruction} is invalid (${flaw.reason})`;
  throw new RuntimeError("INVALID_DOCUMENT", `Cannot use the BPF program: ${place}`, {
    hint: EXPLANATIONS[flaw.reason],
    details: { ...flaw },
  });
}
