/**
 * A seccomp profile after parsing, whatever its dialect: symbolic (names, conditions on the host) but free of dialect.
 * `parse-profile.ts` makes it, `resolve-profile.ts` turns it into the Filter IR, `to-oci.ts` back into OCI JSON.
 */
import type { Comparison } from "../seccomp/filter.ts";
import type { ArchitectureName } from "./architectures.ts";

/** `includes`: all of the capabilities, any of the architectures. `excludes`: any of either. */
export interface Condition {
  /** With their `CAP_` prefix. */
  readonly capabilities: readonly string[];
  /** Compared with the machine's native architecture only, as Docker does. */
  readonly architectures: readonly ArchitectureName[];
  readonly minKernel?: { readonly major: number; readonly minor: number };
}

export interface ProfileRule {
  readonly names: readonly string[];
  /** SECCOMP_RET_* with data. */
  readonly action: number;
  /** The errno of `action` was given by name: its number depends on the architecture. */
  readonly errnoName?: string;
  /** As written; all must hold unless an index occurs twice, see docs/seccomp-semantics.md. */
  readonly comparisons: readonly Comparison[];
  /** Every condition must hold … */
  readonly includes: Condition;
  /** … and none of these. */
  readonly excludes: Condition;
  readonly comment?: string;
  /** JSON pointer of the rule in the document, for messages. */
  readonly pointer: string;
}

/** Flags of `linux.seccomp.flags`. */
export type FlagName =
  | "SECCOMP_FILTER_FLAG_TSYNC"
  | "SECCOMP_FILTER_FLAG_LOG"
  | "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
  | "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

export interface Profile {
  /** False for a document without defaultAction and rules: no filter is installed at all. */
  readonly confined: boolean;
  readonly defaultAction: number;
  readonly defaultErrnoName?: string;
  /** Listed ones; the native architecture is always filtered, too. */
  readonly architectures: readonly ArchitectureName[];
  /** Docker's archMap: the further architectures of a native one. */
  readonly subArchitectures: ReadonlyMap<ArchitectureName, readonly ArchitectureName[]>;
  /** Absent: the runtime's choice, SPEC_ALLOW as in runc and crun. */
  readonly flags?: readonly FlagName[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly rules: readonly ProfileRule[];
}

/** A fact about a profile that does not stop it from working. */
export interface ProfileWarning {
  readonly code:
    | "UNKNOWN_CALL"
    | "RULE_WITHOUT_EFFECT"
    | "CONFLICTING_RULES"
    | "REPEATED_ARGUMENT"
    | "WIDE_DATUM"
    | "MULTIPLEXED_CALL"
    | "LISTENER_WITHOUT_NOTIFY";
  readonly message: string;
  /** JSON pointer of the rule. */
  readonly pointer: string;
}
