/**
 * Paths of procfs and sysfs that a container must not see or write: Docker's lists, which are the de-facto defaults of
 * the OCI world.
 */

/** Information about the host, or control over its hardware. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Readable by programs that look around; written by none in a container. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** `--security-opt mask=` and `unmask=`; `unmask=ALL` lifts everything. */
export function buildHiddenPaths(
  mask: readonly string[],
  unmask: readonly string[],
): { readonly maskedPaths: readonly string[]; readonly readonlyPaths: readonly string[] } {
  const lifted = (path: string): boolean => unmask.includes("ALL") || unmask.includes(path);
  return {
    maskedPaths: [...new Set([...MASKED_PATHS.filter((path) => !lifted(path)), ...mask])],
    readonlyPaths: READONLY_PATHS.filter((path) => !lifted(path)),
  };
}
