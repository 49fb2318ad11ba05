/**
 * The C library of this process, called through koffi. The only file that knows koffi: its prebuilt binary is loaded
 * directly where it can be found, since koffi's own loader costs five milliseconds more.
 */

import { RuntimeError } from "../errors.ts";

/** A C function: arguments and result are what its prototype says, 64-bit integers above 2^53 are bigints. */
export type NativeFunction = (...args: readonly unknown[]) => number;

interface Library {
  func(name: string, result: string, parameters: readonly string[]): unknown;
}

interface Koffi {
  load(path: string | null): Library;
  address(memory: Uint8Array): bigint;
  errno(): number;
}

let loaded: { readonly koffi: Koffi; readonly library: Library } | undefined;

/** koffi and the C library that Node itself is linked with, loaded at the first call. */
function load(): { readonly koffi: Koffi; readonly library: Library } {
  if (loaded !== undefined) return loaded;
  const koffi = openKoffi() ?? requireKoffi();
  loaded = { koffi, library: koffi.load(null) };
  return loaded;
}

/** Where npm puts koffi's binary: below the package that has this file, or beside it. */
const MODULE_DIRECTORIES = ["../node_modules", "../..", "../../../node_modules"];

/**
 * koffi's binary by its path, without the loader of modules, which takes longer than the binary itself.
 * @returns null when it lies elsewhere.
 */
function openKoffi(): Koffi | null {
  const { arch } = process;
  // glibc first; dlopen(3) refuses the other one's binary.
  for (const libc of ["linux", "musl"]) {
    for (const directory of MODULE_DIRECTORIES) {
      const path = `${import.meta.dirname}/${directory}/@koromix/koffi-linux-${arch}/${libc}_${arch}/koffi.node`;
      const module: { exports: unknown } = { exports: {} };
      try {
        process.dlopen(module, path);
        return module.exports as Koffi;
      } catch {
        continue;
      }
    }
  }
  return null;
}

/** By koffi's own loader, which knows every architecture's and package manager's ways. */
function requireKoffi(): Koffi {
  const { createRequire } = process.getBuiltinModule("node:module");
  try {
    return createRequire(import.meta.filename)("koffi") as Koffi;
  } catch (cause) {
    throw new RuntimeError("HOST_UNSUPPORTED", `Cannot load koffi's binary for linux-${process.arch}`, {
      hint: `reinstall pycri with its optional dependencies: npm install @koromix/koffi-linux-${process.arch}`,
      cause,
    });
  }
}

/**
 * Declare a C function that returns −1 and sets errno on failure. The symbol is looked up at the first call.
 * @param name of the function.
 * @param parameters C types in koffi's notation; of a variadic function the ones this call site passes.
 * @returns a function that gives the result, or minus the errno.
 */
export function declare(name: string, parameters: readonly string[], result: "int" | "long" = "int"): NativeFunction {
  let call: NativeFunction | undefined;
  return (...args) => {
    const { koffi, library } = load();
    call ??= library.func(name, result, parameters) as NativeFunction;
    const value = call(...args);
    return value === -1 ? -koffi.errno() : value;
  };
}

/** Result and parameters of a C function, in koffi's notation; the symbol where a macro gives it another name. */
export type Prototype = readonly [result: string, parameters: readonly string[], symbol?: string];

/**
 * Functions of a library that may be missing.
 * @param library a soname, or null for what Node itself is linked with.
 * @returns null where the library cannot be loaded or lacks one of them.
 */
export function findFunctions<Functions>(
  library: string | null,
  prototypes: { readonly [Name in keyof Functions & string]: Prototype },
): Functions | null {
  const { koffi, library: own } = load();
  const found: Record<string, unknown> = {};
  try {
    const source = library === null ? own : koffi.load(library);
    for (const [name, [result, parameters, symbol]] of Object.entries<Prototype>(prototypes)) {
      found[name] = source.func(symbol ?? name, result, parameters);
    }
  } catch {
    return null;
  }
  return found as Functions;
}

/**
 * Memory that C keeps pointers to between calls: outside of V8's heap, where nothing moves it. It lives as long as the
 * returned object, which the caller must hold.
 */
export interface FixedMemory {
  readonly bytes: Uint8Array;
  readonly address: bigint;
}

export function fixedMemory(size: number): FixedMemory {
  const bytes = new Uint8Array(new ArrayBuffer(size));
  return { bytes, address: load().koffi.address(bytes) };
}

/** The name of a positive errno: "ENOENT". */
export function errnoName(errno: number): string {
  return process.getBuiltinModule("node:util").getSystemErrorName(-errno);
}

/**
 * The result of a declared function, for calls that must succeed.
 * @throws RuntimeError IO with the call and the errno, when `result` is a negative errno.
 */
export function check(result: number, call: string): number {
  if (result >= 0) return result;
  throw new RuntimeError("IO", `${call} failed: ${errnoName(-result)}`, { details: { call, errno: -result } });
}
