/**
 * Filters of the built-in profiles for the default capabilities, compiled when pycri was built and part of the bundle:
 * a start with one of them neither reads a profile nor loads the compiler.
 */

import { capabilityMask } from "../oci/capability-numbers.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { SeccompSource } from "../plan/run-request.ts";
import type { ContainerFilter } from "./prepare-launch.ts";

/** A filter in the bundle. */
export interface ShippedFilter {
  readonly profile: string;
  /** `process.arch`. */
  readonly architecture: string;
  /** The bounding set, a decimal mask. */
  readonly capabilities: string;
  /** The oldest kernel it is for: newer ones decide nothing differently. */
  readonly kernel: readonly [major: number, minor: number];
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** struct sock_filter[] in base64. */
  readonly program: string;
}

declare const PYCRI_FILTERS: readonly ShippedFilter[] | undefined;

/** @returns null for `unconfined`, undefined when the filter has to be compiled. */
export function findShippedFilter(
  source: SeccompSource,
  capabilities: readonly string[],
  facts: HostFacts,
): ContainerFilter | null | undefined {
  if (source.kind === "unconfined") return null;
  if (source.kind !== "builtin" || typeof PYCRI_FILTERS === "undefined") return undefined;
  const mask = capabilityMask(capabilities).toString();
  const { major, minor } = facts.kernel;
  const found = PYCRI_FILTERS.find(
    (filter) =>
      filter.profile === source.name &&
      filter.architecture === facts.architecture &&
      filter.capabilities === mask &&
      (major > filter.kernel[0] || (major === filter.kernel[0] && minor >= filter.kernel[1])),
  );
  if (found === undefined) return undefined;
  return { program: { program: Buffer.from(found.program, "base64"), flags: found.flags }, document: null };
}
