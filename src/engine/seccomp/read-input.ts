/** Profiles, weights and programs from files. Whatever is named (a device, a pipe), no more is read than could be one. */
import { closeSync, openSync, readSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { INSTRUCTION_LIMIT, INSTRUCTION_SIZE } from "../../seccomp/bpf.ts";

/** The largest profiles in use have 40 kB. */
const LARGEST_TEXT = 16 << 20;

/** The kernel's limit, and one instruction more, so that a program of too many is told from a cut one. */
const LARGEST_PROGRAM = (INSTRUCTION_LIMIT + 1) * INSTRUCTION_SIZE;

const STANDARD_INPUT = 0;

/**
 * @param hint for a file that cannot be opened
 * @throws RuntimeError IO
 */
export function readText(path: string, hint?: string): string {
  return withFile(path, (descriptor) => readBounded(descriptor, path, LARGEST_TEXT), hint).toString("utf8");
}

/** @throws RuntimeError IO */
export function readStandardInputText(): string {
  return readBounded(STANDARD_INPUT, "standard input", LARGEST_TEXT).toString("utf8");
}

/**
 * The bytes of a raw `struct sock_filter[]`.
 * @throws RuntimeError IO
 */
export function readProgram(path: string): Uint8Array {
  return withFile(path, (descriptor) => readBounded(descriptor, path, LARGEST_PROGRAM));
}

/** @throws RuntimeError IO */
export function readStandardInputProgram(): Uint8Array {
  return readBounded(STANDARD_INPUT, "standard input", LARGEST_PROGRAM);
}

/**
 * Opens a file for reading and closes it.
 * @throws RuntimeError IO
 */
export function withFile<T>(path: string, use: (descriptor: number) => T, hint?: string): T {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    throw unreadable(path, cause, hint);
  }
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readBounded(descriptor: number, name: string, limit: number): Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(limit + 1 - size, 1 << 16));
    const read = readSome(descriptor, name, chunk, 0, chunk.length);
    if (read === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, read));
    size += read;
    if (size > limit)
      throw new RuntimeError("IO", `Cannot read "${name}": it has more than ${limit} bytes`, {
        details: { path: name },
      });
  }
}

/**
 * read(2), waiting while a descriptor that someone else has set non-blocking has nothing.
 * @throws RuntimeError IO
 */
export function readSome(descriptor: number, name: string, buffer: Buffer, offset: number, length: number): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer, offset, length, null);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EAGAIN") throw unreadable(name, cause);
      // poll(2) is out of reach here; waiting a millisecond is all that is possible.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function unreadable(path: string, cause: unknown, hint?: string): RuntimeError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
  return new RuntimeError("IO", `Cannot read "${path}": ${code}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
    details: { path, errno: code },
  });
}
