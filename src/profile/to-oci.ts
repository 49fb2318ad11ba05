/**
 * Profile + machine → `linux.seccomp` of the OCI runtime Spec: conditions decided, architectures listed, every action
 * spelled out, so that any OCI runtime understands it.
 */
import type { Comparison } from "../seccomp/filter.ts";
import { type ActionName, actionData, actionName, takesErrno } from "./action.ts";
import { architectureOf } from "./architectures.ts";
import { errnoNumber } from "./errno.ts";
import type { FlagName, Profile, ProfileRule } from "./profile.ts";
import { applies, filteredArchitectures, repeatsAnIndex, type ResolveTarget } from "./resolve-profile.ts";

export interface OciSeccompArgument {
  readonly index: number;
  /** A string of digits beyond 2^53, where a JavaScript number would lose them. */
  readonly value: number | string;
  readonly valueTwo?: number | string;
  readonly op: string;
}

export interface OciSyscallRule {
  readonly names: readonly string[];
  readonly action: ActionName;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArgument[];
}

/** `linux.seccomp`, OCI runtime Spec 1.0 to 1.3. */
export interface OciSeccomp {
  readonly defaultAction: ActionName;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly FlagName[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly OciSyscallRule[];
}

/** Undefined when the profile confines nothing: the Spec then has no `linux.seccomp`. */
export function toOciSeccomp(profile: Profile, target: ResolveTarget): OciSeccomp | undefined {
  if (!profile.confined) return undefined;
  const errno = (action: number, name: string | undefined): number | undefined => {
    if (!takesErrno(actionName(action))) return undefined;
    return (name === undefined ? undefined : errnoNumber(name, target.native)) ?? actionData(action);
  };
  const defaultErrnoRet = errno(profile.defaultAction, profile.defaultErrnoName);
  return {
    defaultAction: actionName(profile.defaultAction),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: filteredArchitectures(profile, target).map((name) => architectureOf(name).ociName),
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    ...(profile.listenerPath === undefined ? {} : { listenerPath: profile.listenerPath }),
    ...(profile.listenerMetadata === undefined ? {} : { listenerMetadata: profile.listenerMetadata }),
    syscalls: profile.rules
      .filter((rule) => applies(rule, target))
      .flatMap((rule) => toOciRules(rule, errno(rule.action, rule.errnoName))),
  };
}

/** Alternatives become rules of their own: crun counts no more than six comparisons in one and ignores the rest. */
function toOciRules(rule: ProfileRule, errnoRet: number | undefined): readonly OciSyscallRule[] {
  const { names, comparisons } = rule;
  const head = { names, action: actionName(rule.action), ...(errnoRet === undefined ? {} : { errnoRet }) };
  if (comparisons.length === 0) return [head];
  const args = comparisons.map(toOciArgument);
  return repeatsAnIndex(comparisons) ? args.map((arg) => ({ ...head, args: [arg] })) : [{ ...head, args }];
}

function toOciArgument({ index, operator, value, mask }: Comparison): OciSeccompArgument {
  const op = `SCMP_CMP_${operator}`;
  return operator === "MASKED_EQ"
    ? { index, value: toDatum(mask), valueTwo: toDatum(value), op }
    : { index, value: toDatum(value), op };
}

function toDatum(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}
