/**
 * Resource limits of the process itself (`--ulimit`): they need no cgroup. Raising a hard limit needs CAP_SYS_RESOURCE in
 * the initial user namespace, which nobody in a container has; the kernel's refusal is explained in
 * `explain-failure.ts`.
 */

import { RuntimeError } from "../errors.ts";
import { RLIMIT_NAMES, RLIM_INFINITY, rlimitNumber } from "../oci/rlimit-numbers.ts";
import type { PosixRlimit } from "../oci/spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { ContainerOperation } from "./operations.ts";
import type { RlimitRequest } from "./run-request.ts";

const NOFILE = "RLIMIT_NOFILE";

/**
 * `process.rlimits`. Open files are always among them: Node raises its own soft limit at start, and a container must not
 * inherit that, because programs that use select(2) break above 1024.
 */
export function buildRlimits(requests: readonly RlimitRequest[], facts: HostFacts): readonly PosixRlimit[] {
  const asked = requests.map(({ type, soft, hard }) => ({
    type,
    soft: soft ?? RLIM_INFINITY,
    hard: hard ?? RLIM_INFINITY,
  }));
  if (facts.nofile === null || asked.some(({ type }) => type === NOFILE)) return asked;
  return [...asked, { type: NOFILE, soft: finite(facts.nofile.soft), hard: finite(facts.nofile.hard) }];
}

function finite(value: number): number | bigint {
  return Number.isFinite(value) ? value : RLIM_INFINITY;
}

export function planRlimits(rlimits: readonly PosixRlimit[]): readonly ContainerOperation[] {
  const seen = new Set<string>();
  return rlimits.map(({ type, soft, hard }) => {
    const resource = rlimitNumber(type);
    if (resource === undefined) {
      throw new RuntimeError("INVALID_SPEC", `Unknown resource limit "${type}"`, {
        hint: `Known are ${RLIMIT_NAMES.map((name) => name.slice("RLIMIT_".length).toLowerCase()).join(", ")}.`,
      });
    }
    if (seen.has(type)) throw new RuntimeError("INVALID_SPEC", `The resource limit ${type} is set twice`);
    seen.add(type);
    const values = { soft: BigInt(soft), hard: BigInt(hard) };
    if (values.soft > values.hard) {
      throw new RuntimeError("INVALID_ARGUMENT", `The soft limit ${soft} of ${type} exceeds its hard limit ${hard}`);
    }
    return { op: "setRlimit", resource, ...values };
  });
}
