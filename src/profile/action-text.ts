/**
 * Actions as people read and write them: `allow`, `errno(EPERM)`, `kill_process`. The words of rule lists
 * (`profiles/schema/rules.schema.json`), of `pycri seccomp simulate` and of listings.
 */
import { actionData, actionKind, actionName, type ActionName, actionValue, takesErrno } from "./action.ts";
import type { ArchitectureName } from "./architectures.ts";
import { errnoName, errnoNumber } from "./errno.ts";

const words: Readonly<Record<string, ActionName>> = {
  kill_process: "SCMP_ACT_KILL_PROCESS",
  kill_thread: "SCMP_ACT_KILL_THREAD",
  trap: "SCMP_ACT_TRAP",
  errno: "SCMP_ACT_ERRNO",
  notify: "SCMP_ACT_NOTIFY",
  trace: "SCMP_ACT_TRACE",
  log: "SCMP_ACT_LOG",
  allow: "SCMP_ACT_ALLOW",
};

const byName = new Map(Object.entries(words).map(([word, name]) => [name, word]));

/** `errno(EPERM)`, `trace(7)`, `allow`; errno numbers are named as the architecture names them. */
export function formatAction(action: number, architecture: ArchitectureName = "x86_64"): string {
  const name = actionName(action);
  const word = byName.get(name) ?? name;
  if (!takesErrno(name)) return word;
  const data = actionData(action);
  return `${word}(${(name === "SCMP_ACT_ERRNO" ? errnoName(data, architecture) : undefined) ?? data})`;
}

/** The inverse of `formatAction`; undefined for what is no action. */
export function parseAction(text: string, architecture: ArchitectureName = "x86_64"): number | undefined {
  const [, word = "", argument] = /^([a-z_]+)(?:\(([A-Z0-9]+)\))?$/.exec(text) ?? [];
  const name = words[word];
  if (name === undefined || (argument === undefined) === takesErrno(name)) return undefined;
  if (argument === undefined) return actionValue(name);
  const number = /^\d+$/.test(argument) ? Number(argument) : errnoNumber(argument, architecture);
  const largest = name === "SCMP_ACT_ERRNO" ? 4094 : 0xffff;
  return number === undefined || number > largest ? undefined : actionValue(name, number);
}

/** The action's kind for grouping, without data: `errno`. */
export function actionWord(action: number): string {
  return byName.get(actionName(actionKind(action))) ?? "";
}
