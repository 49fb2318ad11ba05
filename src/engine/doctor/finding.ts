/** What `pycri doctor` has found out about one subject. */

export interface Finding {
  readonly subject: FindingSubject;
  /**
   * `ok`; `missing`: without it there is no run, or not a whole one; `optional`: containers run without it, something beside
   * them does not.
   */
  readonly level: "ok" | "missing" | "optional";
  /** One sentence without its full stop. */
  readonly message: string;
  /** Command lines, each by itself; empty when all is well. */
  readonly remedy: readonly string[];
  /** Whether the remedy is for root to run. */
  readonly asRoot: boolean;
}

export type FindingSubject =
  | "kernel"
  | "user namespaces"
  | "id programs"
  | "subordinate ids"
  | "seccomp"
  | "helper"
  | "container"
  | "overlay"
  | "cgroup controllers"
  | "runtime directory"
  | "lingering"
  | "network device"
  | "network program";

export function ok(subject: FindingSubject, message: string): Finding {
  return { subject, level: "ok", message, remedy: [], asRoot: false };
}

export function missing(subject: FindingSubject, message: string, remedy: readonly string[], asRoot = true): Finding {
  return { subject, level: "missing", message, remedy, asRoot };
}

export function optional(subject: FindingSubject, message: string, remedy: readonly string[], asRoot = true): Finding {
  return { subject, level: "optional", message, remedy, asRoot };
}
