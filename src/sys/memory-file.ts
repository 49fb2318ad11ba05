/** Anonymous files in memory, memfd_create(2): how the plan reaches the helper, and how the helper itself is protected. */

import { writeSync } from "node:fs";
import { check, declare } from "./native-library.ts";

const memfdCreate = declare("memfd_create", ["str", "uint"]);
const fcntl = declare("fcntl", ["int", "int", "int"]);

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
const MFD_EXEC = 0x10;
const EINVAL = 22;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL = 0x1;
const F_SEAL_SHRINK = 0x2;
const F_SEAL_GROW = 0x4;
const F_SEAL_WRITE = 0x8;

/** An empty memory file. It survives execve(2) with `inherit`. */
export function createMemoryFile(name: string, inherit: boolean): number {
  return check(memfdCreate(name, MFD_ALLOW_SEALING | (inherit ? 0 : MFD_CLOEXEC)), "memfd_create(2)");
}

/** A memory file with these contents that nobody can change any more. */
export function createSealedFile(name: string, contents: Uint8Array, inherit: boolean): number {
  return seal(createMemoryFile(name, inherit), contents);
}

/**
 * A sealed memory file that can be executed, close-on-exec.
 * @returns null where the kernel forbids such files (vm.memfd_noexec).
 */
export function createSealedExecutable(name: string, contents: Uint8Array): number | null {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let descriptor = memfdCreate(name, flags | MFD_EXEC);
  // Kernels before 6.3 do not know the flag, and need none.
  if (descriptor === -EINVAL) descriptor = memfdCreate(name, flags);
  return descriptor < 0 ? null : seal(descriptor, contents);
}

function seal(descriptor: number, contents: Uint8Array): number {
  for (let written = 0; written < contents.length;) {
    written += writeSync(descriptor, contents, written, contents.length - written);
  }
  const seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  check(fcntl(descriptor, F_ADD_SEALS, seals), "fcntl(F_ADD_SEALS)");
  return descriptor;
}

/** Whether a descriptor survives execve(2). */
export function setInherited(descriptor: number, inherit: boolean): void {
  check(fcntl(descriptor, F_SETFD, inherit ? 0 : FD_CLOEXEC), "fcntl(F_SETFD)");
}
