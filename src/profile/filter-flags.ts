/** `linux.seccomp.flags` → the flags of seccomp(2) SECCOMP_SET_MODE_FILTER. */
import { actionKind, SECCOMP_RET_USER_NOTIF } from "./action.ts";
import type { FlagName, Profile } from "./profile.ts";

const SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3;
const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 1 << 4;

const values: Readonly<Record<FlagName, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1 << 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
};

/** Whether any rule hands calls to a listener. */
export function notifies(profile: Profile): boolean {
  return profile.rules.some(({ action }) => actionKind(action) === SECCOMP_RET_USER_NOTIF);
}

/**
 * Absent flags mean SPEC_ALLOW, as in runc and crun; an empty list means none. A profile that notifies asks for the
 * listener; TSYNC then needs TSYNC_ESRCH, because both report through the return value. WAIT_KILLABLE_RECV without a
 * listener is EINVAL to the kernel and is left out.
 */
export function filterFlags(profile: Profile): number {
  const listener = notifies(profile);
  let flags = 0;
  for (const name of profile.flags ?? (["SECCOMP_FILTER_FLAG_SPEC_ALLOW"] as const))
    if (listener || name !== "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") flags |= values[name];
  if (!listener) return flags;
  flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return (flags & values.SECCOMP_FILTER_FLAG_TSYNC) === 0 ? flags : flags | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
}
