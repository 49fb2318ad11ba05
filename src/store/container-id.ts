/** Container ids: 256 random bits in hexadecimal, as engines have them. Read from the kernel; `crypto` takes 11 ms to load. */

import { closeSync, openSync, readSync } from "node:fs";

export function makeContainerId(): string {
  const bytes = Buffer.alloc(32);
  const descriptor = openSync("/dev/urandom", "r");
  try {
    readSync(descriptor, bytes);
  } finally {
    closeSync(descriptor);
  }
  return bytes.toString("hex");
}
