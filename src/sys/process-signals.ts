/** Signals to processes by pidfd, which a recycled process id cannot mislead: pidfd_open(2), pidfd_send_signal(2). */

import { closeSync } from "node:fs";
import { check, declare } from "./native-library.ts";

const syscall4 = declare("syscall", ["long", "long", "long", "void *", "long"], "long");

/** The same on every architecture, as all calls since Linux 5.0 are. */
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;

/**
 * A descriptor of a process.
 * @returns null when there is no such process.
 */
export function openProcess(pid: number): number | null {
  const result = syscall4(SYS_pidfd_open, pid, 0, null, 0);
  const ESRCH = 3;
  return result === -ESRCH ? null : check(result, "pidfd_open(2)");
}

/**
 * Send a signal through a process descriptor.
 * @returns false when the process has ended.
 */
export function signalProcess(descriptor: number, signal: number): boolean {
  const result = syscall4(SYS_pidfd_send_signal, descriptor, signal, null, 0);
  const ESRCH = 3;
  if (result === -ESRCH) return false;
  check(result, "pidfd_send_signal(2)");
  return true;
}

/** Close a process descriptor. */
export function closeProcess(descriptor: number): void {
  closeSync(descriptor);
}
