/**
 * Filter return values under the names of `linux.seccomp` (SCMP_ACT_*). An action is the 32-bit SECCOMP_RET_* value
 * itself with its 16 data bits, see seccomp(2).
 */

export const SECCOMP_RET_KILL_PROCESS: number = 0x80000000;
export const SECCOMP_RET_KILL_THREAD: number = 0x00000000;
export const SECCOMP_RET_TRAP: number = 0x00030000;
export const SECCOMP_RET_ERRNO: number = 0x00050000;
export const SECCOMP_RET_USER_NOTIF: number = 0x7fc00000;
export const SECCOMP_RET_TRACE: number = 0x7ff00000;
export const SECCOMP_RET_LOG: number = 0x7ffc0000;
export const SECCOMP_RET_ALLOW: number = 0x7fff0000;

/** EPERM: the data of ERRNO and TRACE when a profile gives none. */
export const EPERM: number = 1;
/** ENOSYS: what a call gets that is newer than the profile. */
export const ENOSYS: number = 38;

export type ActionName =
  | "SCMP_ACT_KILL_PROCESS"
  /** Historical name of KILL_THREAD. */
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_NOTIFY"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_ALLOW";

const returnValues: Readonly<Record<ActionName, number>> = {
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
};

/** Only ERRNO and TRACE carry data of the profile's choosing. */
export function takesErrno(name: ActionName): boolean {
  return name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE";
}

/** The return value of an action; `errno` counts for ERRNO and TRACE only. */
export function actionValue(name: ActionName, errno: number = EPERM): number {
  return takesErrno(name) ? returnValues[name] + errno : returnValues[name];
}

/** The action without its data, unsigned. */
export function actionKind(action: number): number {
  return action - (action % 0x10000);
}

/** The 16 data bits. */
export function actionData(action: number): number {
  return action % 0x10000;
}

const kindNames = new Map<number, ActionName>(
  (Object.entries(returnValues) as [ActionName, number][])
    .filter(([name]) => name !== "SCMP_ACT_KILL")
    .map(([name, value]) => [value, name]),
);

/** The OCI name of an action; `SCMP_ACT_KILL_THREAD` for both spellings. */
export function actionName(action: number): ActionName {
  const name = kindNames.get(actionKind(action));
  if (name === undefined) throw new Error(`no seccomp action has the return value 0x${action.toString(16)}`);
  return name;
}

/** From the strictest to the most permissive: the kernel's own precedence over stacked filters, seccomp(2). */
const precedence: readonly number[] = [
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
];

/** The action the kernel would take if several filters gave these; the first of equals. */
export function strictest(actions: readonly number[]): number {
  const rank = (action: number): number => precedence.indexOf(actionKind(action));
  return actions.reduce((strict, action) => (rank(action) < rank(strict) ? action : strict));
}
