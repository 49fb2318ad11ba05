/**
 * The text of `config.json`. Unsigned 64-bit numbers (RLIM_INFINITY, seccomp arguments) are bigints in memory and plain
 * JSON numbers on disk, which JSON.stringify cannot write.
 */

import type { Spec } from "./spec.ts";

/** A control character that no valid Spec contains: strings of it reach the kernel, which ends them at NUL. */
const MARK = "\u0000bigint:";

export function formatSpec(spec: Spec): string {
  const text = JSON.stringify(
    spec,
    (_key, value: unknown) => (typeof value === "bigint" ? `${MARK}${value}` : value),
    2,
  );
  return text.replace(/"\\u0000bigint:(\d+)"/g, "$1");
}
