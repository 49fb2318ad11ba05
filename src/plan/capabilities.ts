/**
 * The five capability sets of the container's process, and when each is given up.
 *
 * The container half starts with every capability over its own user namespace. What it keeps: the bounding set ends what
 * any later execve(2) can gain; permitted and effective are what root has at once; a user other than root gets only what
 * was asked for by name, through the ambient set, because execve(2) empties the others for it (capabilities(7)).
 *
 * Securebits stay as they are: a new user namespace resets them, and runc leaves them alone as well.
 */

import { RuntimeError } from "../errors.ts";
import { CAPABILITY_NAMES, capabilityMask, capabilityNames, capabilityNumber } from "../oci/capability-numbers.ts";
import type { LinuxCapabilities } from "../oci/spec.ts";
import type { HostFacts } from "./host-facts.ts";

/** What root in a container has unless told otherwise. Each is confined to the container's own user namespace. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  /** Package managers hand files to the users they create. */
  "CAP_CHOWN",
  /** Root reads and writes files of the container's other users. */
  "CAP_DAC_OVERRIDE",
  /** chmod and utimes on files of the container's other users. */
  "CAP_FOWNER",
  /** chmod keeps set-id bits, as archives expect. */
  "CAP_FSETID",
  /** A supervisor signals the services it runs under other users. */
  "CAP_KILL",
  /** Servers on ports below 1024. */
  "CAP_NET_BIND_SERVICE",
  /** Installing programs that carry file capabilities (ping). */
  "CAP_SETFCAP",
  /** su, login and servers that drop to another user. */
  "CAP_SETGID",
  /** Giving capabilities up for good: limiting one's own bounding set. */
  "CAP_SETPCAP",
  "CAP_SETUID",
];

const ALL = "ALL";

/**
 * The sets for `--cap-add` and `--cap-drop` (names without `CAP_`, or ALL). A name in both is added, as in Docker; adding
 * ALL leaves out what is dropped by name.
 */
export function buildCapabilities(
  add: readonly string[],
  drop: readonly string[],
  isRoot: boolean,
  facts: HostFacts,
): Required<LinuxCapabilities> {
  const known = CAPABILITY_NAMES.slice(0, facts.lastCapability + 1);
  const added = add.filter((name) => name !== ALL).map((name) => fullName(name, "--cap-add", facts));
  const dropped = drop.filter((name) => name !== ALL).map((name) => fullName(name, "--cap-drop", facts));
  const addAll = add.includes(ALL);

  const base = drop.includes(ALL) && !addAll ? [] : addAll ? known : DEFAULT_CAPABILITIES;
  const kept = base.filter((name) => !dropped.includes(name));
  const bounding = inOrder([...kept, ...(addAll ? [] : added)]);
  if (isRoot) return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };

  const asked = addAll ? bounding : inOrder(added);
  return { bounding, effective: asked, permitted: asked, inheritable: asked, ambient: asked };
}

function fullName(name: string, flag: string, facts: HostFacts): string {
  const full = `CAP_${name}`;
  const number = capabilityNumber(full);
  if (number === undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", `Unknown capability "${name}" in ${flag}`, {
      hint: `Known are ${ALL} and ${CAPABILITY_NAMES.map((known) => known.slice(4)).join(", ")}.`,
    });
  }
  if (number > facts.lastCapability && flag === "--cap-add") {
    throw new RuntimeError("HOST_UNSUPPORTED", `The kernel ${facts.kernel.release} has no capability ${full}`, {
      hint: "Leave it out of --cap-add.",
    });
  }
  return full;
}

function inOrder(names: readonly string[]): readonly string[] {
  return CAPABILITY_NAMES.filter((name) => names.includes(name));
}

/** The sets as masks, limited to what the kernel knows. */
export interface CapabilityMasks {
  readonly bounding: bigint;
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

/**
 * Masks the kernel accepts. What a set asks beyond that is left out, as the Spec wants of capabilities that cannot be
 * granted: effective within permitted (capset(2)), ambient within permitted and inheritable (prctl(2)).
 */
export function capabilityMasks(capabilities: LinuxCapabilities | undefined, facts: HostFacts): CapabilityMasks {
  const everything = (1n << BigInt(facts.lastCapability + 1)) - 1n;
  const mask = (names: readonly string[] | undefined): bigint => capabilityMask(names ?? []) & everything;
  const permitted = mask(capabilities?.permitted);
  // A process adds to its inheritable set within its bounding set only (capset(2)).
  const inheritable = mask(capabilities?.inheritable) & mask(capabilities?.bounding);
  return {
    bounding: mask(capabilities?.bounding),
    permitted,
    effective: mask(capabilities?.effective) & permitted,
    inheritable,
    ambient: mask(capabilities?.ambient) & permitted & inheritable,
  };
}

/** For messages and the dry run: `CHOWN, KILL`, or `none`. */
export function formatCapabilities(mask: bigint): string {
  const names = capabilityNames(mask).map((name) => name.slice(4));
  return names.length === 0 ? "none" : names.length === CAPABILITY_NAMES.length ? "all" : names.join(", ");
}
