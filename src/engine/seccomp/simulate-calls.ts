/**
 * What a filter answers to calls: one call named on a command line, or a million lines on a descriptor. Programs are
 * checked as the kernel checks them and run on `struct seccomp_data`.
 */
import { RuntimeError } from "../../errors.ts";
import { formatAction } from "../../profile/action-text.ts";
import { type ArchitectureName, architectureOf, architectures } from "../../profile/architectures.ts";
import { syscallTable } from "../../profile/syscall-tables.ts";
import type { SeccompData } from "../../seccomp/filter.ts";
import { DATA_WORDS, prepareProgram, type PreparedProgram, runProgram, simulate } from "../../seccomp/simulate.ts";
import { compileNamed } from "./compile-named.ts";
import {
  type FilterOptions,
  type FilterSource,
  hostArchitecture,
  loadFilter,
  namedArchitecture,
  resolveTarget,
} from "./load-filter.ts";
import { loadProgram, type ProgramSource } from "./load-program.ts";
import { readSome } from "./read-input.ts";

/** What to simulate: a profile, or a raw `struct sock_filter[]` (or its path) of any compiler. */
export type SimulationSource =
  | { readonly profile: FilterSource }
  /** In the byte order of the first of `options.architectures`. */
  | { readonly program: ProgramSource };

/** @throws RuntimeError INVALID_PROFILE, INVALID_DOCUMENT for a program the kernel would refuse, IO */
export function prepareSimulation(source: SimulationSource, options: FilterOptions = {}): PreparedProgram {
  if ("profile" in source) return prepareProgram(compileNamed(loadFilter(source.profile, options).filter).program);
  const { bigEndian } = architectureOf(resolveTarget(options).native);
  return prepareProgram(loadProgram(source.program, bigEndian ? "big" : "little"));
}

export interface SimulatedCall {
  readonly architecture: ArchitectureName;
  /** "" for a number without a name. */
  readonly name: string;
  readonly number: number;
  readonly args: readonly bigint[];
  /** SECCOMP_RET_*, unsigned 32-bit. */
  readonly action: number;
  /** `allow`, `errno(EPERM)`. */
  readonly text: string;
  /** Executed instructions. */
  readonly executed: number;
}

/**
 * @param call a name of the architecture's table, or a number in decimal or 0x digits; a negative one is taken as
 * unsigned 32-bit
 * @param args up to six, in decimal, negative or 0x digits; missing ones are 0
 * @throws RuntimeError INVALID_ARGUMENT
 */
export function simulateCall(
  program: PreparedProgram,
  call: string | number,
  args: readonly (string | number | bigint)[],
  architectureName?: string,
): SimulatedCall {
  const architecture = architectureName === undefined ? hostArchitecture() : namedArchitecture(architectureName);
  const { auditArchitecture, bigEndian } = architectureOf(architecture);
  const table = syscallTable(architecture);
  const number = table.numbers.get(String(call)) ?? parseNumber(String(call), architecture);
  if (args.length > 6)
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot simulate ${args.length} arguments: a system call has six at most`,
    );
  const values = Array.from({ length: 6 }, (_, index) => parseArgument(String(args[index] ?? 0)));
  const data: SeccompData = {
    number,
    architecture: auditArchitecture,
    instructionPointer: 0n,
    args: values as unknown as SeccompData["args"],
  };
  const { action, executed } = simulate(program, data, bigEndian);
  return {
    architecture,
    name: table.names.get(number)?.join("/") ?? "",
    number,
    args: values,
    action,
    text: describeAction(action, architecture),
    executed,
  };
}

/** A program may return what names no action; the kernel kills the process then (seccomp(2)). */
function describeAction(action: number, architecture: ArchitectureName): string {
  try {
    return formatAction(action, architecture);
  } catch {
    return `0x${action.toString(16).padStart(8, "0")}`;
  }
}

function parseNumber(text: string, architecture: ArchitectureName): number {
  if (/^(-?\d+|0x[0-9a-fA-F]{1,8})$/.test(text)) {
    const number = Number(text);
    if (number >= -0x80000000 && number <= 0xffffffff) return number >>> 0;
  }
  throw new RuntimeError("INVALID_ARGUMENT", `"${text}" is no system call of ${architecture} and no call number`, {
    hint: "numbers are decimal or 0x digits of 32 bits; --arch names the architecture",
  });
}

function parseArgument(text: string): bigint {
  if (/^(-?\d+|0x[0-9a-fA-F]+)$/.test(text)) {
    const value = BigInt(text);
    if (value >= -(2n ** 63n) && value < 2n ** 64n) return BigInt.asUintN(64, value);
  }
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the argument "${text}": it is no 64-bit number`, {
    hint: "arguments are decimal or 0x digits",
  });
}

const CHUNK = 1 << 20;

/** Longest line: an architecture's name and seven numbers with room for odd spacing. */
const LONGEST_LINE = 1024;

const CODE_TAB = 9;
const CODE_LINE_FEED = 10;
const CODE_CARRIAGE_RETURN = 13;
const CODE_SPACE = 32;

/**
 * Run `arch nr a0 … a5` lines from a descriptor; missing arguments are 0, empty lines are skipped. `emit` gets the
 * answers in order, one line each, in large pieces. Works on bytes: a million lines take seconds.
 * @returns the number of lines
 * @throws RuntimeError INVALID_ARGUMENT with the line's number
 */
export function simulateVectors(program: PreparedProgram, descriptor: number, emit: (text: string) => void): number {
  const vectors = new VectorReader(program);
  const buffer = Buffer.allocUnsafe(CHUNK + LONGEST_LINE);
  let held = 0;
  for (;;) {
    const read = readSome(descriptor, "the calls", buffer, held, CHUNK);
    const end = held + read;
    const complete = read === 0 ? end : buffer.lastIndexOf(CODE_LINE_FEED, end - 1) + 1;
    const text = vectors.run(buffer, complete);
    if (text !== "") emit(text);
    if (read === 0) return vectors.lines;
    held = end - complete;
    if (held > LONGEST_LINE)
      throw new RuntimeError("INVALID_ARGUMENT", `Line ${vectors.lines + 1} is longer than ${LONGEST_LINE} bytes`);
    buffer.copyWithin(0, complete, end);
  }
}

interface VectorArchitecture {
  readonly name: ArchitectureName;
  readonly audit: number;
  readonly bigEndian: boolean;
  readonly texts: Map<number, string>;
}

class VectorReader {
  lines = 0;
  readonly #program: PreparedProgram;
  readonly #data = new Uint32Array(DATA_WORDS);
  readonly #architectures = new Map<string, VectorArchitecture>();
  #high = 0;
  #low = 0;

  constructor(program: PreparedProgram) {
    this.#program = program;
    for (const { name, ociName, dockerName, auditArchitecture, bigEndian } of architectures.values()) {
      const entry = { name, audit: auditArchitecture, bigEndian, texts: new Map<number, string>() };
      for (const word of [name, ociName, dockerName]) this.#architectures.set(word, entry);
    }
  }

  /** The answers to the complete lines in the first `end` bytes. */
  run(bytes: Buffer, end: number): string {
    let output = "";
    let at = 0;
    while (at < end) {
      let stop = bytes.indexOf(CODE_LINE_FEED, at);
      if (stop < 0 || stop > end) stop = end;
      const line = this.#line(bytes, at, stop);
      if (line !== undefined) output += line;
      at = stop + 1;
    }
    return output;
  }

  #line(bytes: Buffer, start: number, end: number): string | undefined {
    this.lines += 1;
    let at = skipBlanks(bytes, start, end);
    if (at === end) return undefined;
    let stop = skipWord(bytes, at, end);
    const architecture = this.#architecture(bytes.toString("latin1", at, stop));
    const data = this.#data;
    data.fill(0);
    data[1] = architecture.audit;
    const high = architecture.bigEndian ? 0 : 1;
    let field = 0;
    for (at = skipBlanks(bytes, stop, end); at < end; at = skipBlanks(bytes, stop, end)) {
      stop = skipWord(bytes, at, end);
      if (field > 6) throw this.#fault("it has more than six arguments");
      this.#number(bytes, at, stop, architecture, field === 0);
      if (field === 0) data[0] = this.#low;
      else {
        // Words 0 and 1 are number and architecture, 2 and 3 the instruction pointer.
        data[2 + field * 2 + high] = this.#high;
        data[2 + field * 2 + 1 - high] = this.#low;
      }
      field += 1;
    }
    if (field === 0) throw this.#fault("the call's number is missing");
    const action = runProgram(this.#program, data);
    let text = architecture.texts.get(action);
    if (text === undefined) {
      text = `${describeAction(action, architecture.name)}\n`;
      architecture.texts.set(action, text);
    }
    return text;
  }

  #architecture(word: string): VectorArchitecture {
    const known = this.#architectures.get(word);
    if (known !== undefined) return known;
    if (!/^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(word)) throw this.#fault(`"${word}" is no architecture`);
    const audit = Number(word) >>> 0;
    const twin = [...architectures.values()].find(({ auditArchitecture }) => auditArchitecture === audit);
    const entry = {
      name: twin?.name ?? hostArchitecture(),
      audit,
      bigEndian: twin?.bigEndian ?? false,
      texts: new Map<number, string>(),
    };
    this.#architectures.set(word, entry);
    return entry;
  }

  /** Reads a number, or for the call a name, into the two halves. */
  #number(bytes: Buffer, start: number, end: number, architecture: VectorArchitecture, isCall: boolean): void {
    if (this.#digits(bytes, start, end)) return;
    const word = bytes.toString("latin1", start, end);
    const named = isCall ? syscallTable(architecture.name).numbers.get(word) : undefined;
    if (named !== undefined) {
      this.#high = 0;
      this.#low = named;
      return;
    }
    if (!/^(-?\d+|0x[0-9a-fA-F]+)$/.test(word)) throw this.#fault(`"${word}" is no number`);
    const value = BigInt(word);
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw this.#fault(`${word} has more than 64 bits`);
    this.#high = Number(BigInt.asUintN(32, value >> 32n));
    this.#low = Number(BigInt.asUintN(32, value));
  }

  /** The fast way: up to nine decimal or sixteen hexadecimal digits. */
  #digits(bytes: Buffer, start: number, end: number): boolean {
    this.#high = 0;
    this.#low = 0;
    if (end - start > 2 && bytes[start] === 0x30 && bytes[start + 1] === 0x78) {
      if (end - start > 18) return false;
      const middle = end - 8;
      for (let at = start + 2; at < end; at++) {
        const digit = hexadecimalDigit(bytes[at] as number);
        if (digit < 0) return false;
        if (at < middle) this.#high = this.#high * 16 + digit;
        else this.#low = this.#low * 16 + digit;
      }
      return true;
    }
    if (end - start > 9) return false;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
    }
    this.#low = value;
    return true;
  }

  #fault(reason: string): RuntimeError {
    return new RuntimeError("INVALID_ARGUMENT", `Cannot simulate line ${this.lines}: ${reason}`, {
      hint: "a line is: architecture, call, up to six arguments",
    });
  }
}

function skipBlanks(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at] as number)) at += 1;
  return at;
}

function skipWord(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && !isBlank(bytes[at] as number)) at += 1;
  return at;
}

function isBlank(code: number): boolean {
  return code === CODE_SPACE || code === CODE_TAB || code === CODE_CARRIAGE_RETURN;
}

function hexadecimalDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
