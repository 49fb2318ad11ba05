/**
 * Profile + machine → Filter IR: conditions decided, names turned into numbers for each architecture, and pycri's laws
 * of combining rules applied, so that what is left has one meaning. `docs/seccomp-semantics.md` states the laws.
 */
import type { ArchitectureRules, CallRule, Clause, Comparison, Filter, NumberRange } from "../seccomp/filter.ts";
import {
  actionKind,
  ENOSYS,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  strictest,
} from "./action.ts";
import { type Architecture, type ArchitectureName, architectureOf, X32_SYSCALL_BIT } from "./architectures.ts";
import { errnoNumber } from "./errno.ts";
import { notifies } from "./filter-flags.ts";
import { multiplexedCalls, selectorMask } from "./multiplexers.ts";
import type { Condition, Profile, ProfileRule, ProfileWarning } from "./profile.ts";
import { callsNewerThan, isKnownCall, type SyscallTable, syscallTable } from "./syscall-tables.ts";

/** What a profile is resolved against. */
export interface ResolveTarget {
  /** The machine's own architecture: always in the filter, and the one `includes.arches` speaks of. */
  readonly native: ArchitectureName;
  /** Replaces the profile's list of further architectures. */
  readonly architectures?: readonly ArchitectureName[];
  /** The container's bounding set, with `CAP_` prefix: Docker's `caps` conditions. */
  readonly capabilities: readonly string[];
  /** The running kernel, for `minKernel`. */
  readonly kernel: { readonly major: number; readonly minor: number };
}

export interface ResolvedProfile {
  readonly filter: Filter;
  readonly warnings: readonly ProfileWarning[];
}

/** The top of the number space; −1 is what a tracer writes to skip a call, and never names one. */
const MINUS_ONE = 0xffffffff;

export function resolveProfile(profile: Profile, target: ResolveTarget): ResolvedProfile {
  if (!profile.confined) return { filter: { architectures: [], unknownArchitecture: SECCOMP_RET_ALLOW }, warnings: [] };
  const warnings = new Warnings();
  const rules = profile.rules.filter((rule) => applies(rule, target));
  const names = filteredArchitectures(profile, target);
  const named = new Set(profile.rules.flatMap((rule) => rule.names));
  const tables = names.map((name) => syscallTable(name).numbers);
  const isKnown = (call: string): boolean => tables.some((table) => table.has(call)) || isKnownCall(call);
  for (const rule of profile.rules) checkRule(rule, isKnown, warnings);
  if (profile.listenerPath !== undefined && !notifies(profile))
    warnings.add("LISTENER_WITHOUT_NOTIFY", "/listenerPath", "", "no rule hands a call to the listener");

  const sections = names.map((name) => resolveArchitecture(profile, rules, architectureOf(name), named, warnings));
  return {
    filter: { architectures: joinX32(sections), unknownArchitecture: SECCOMP_RET_KILL_THREAD },
    warnings: warnings.list,
  };
}

/** The native architecture first, then the target's or the profile's further ones, each once. */
export function filteredArchitectures(profile: Profile, target: ResolveTarget): readonly ArchitectureName[] {
  const further = target.architectures ?? [
    ...profile.architectures,
    ...(profile.subArchitectures.get(target.native) ?? []),
  ];
  return [...new Set([target.native, ...further])];
}

/** Whether a rule counts on this machine: Docker asks `excludes` first, and any hit drops the rule. */
export function applies(rule: ProfileRule, target: ResolveTarget): boolean {
  const { includes, excludes } = rule;
  const has = (capability: string): boolean => target.capabilities.includes(capability);
  if (excludes.architectures.includes(target.native)) return false;
  if (excludes.capabilities.some(has)) return false;
  if (excludes.minKernel !== undefined && kernelIsAtLeast(target, excludes.minKernel)) return false;
  return includesHold(includes, target, has);
}

function includesHold(includes: Condition, target: ResolveTarget, has: (capability: string) => boolean): boolean {
  if (includes.architectures.length > 0 && !includes.architectures.includes(target.native)) return false;
  if (!includes.capabilities.every(has)) return false;
  return includes.minKernel === undefined || kernelIsAtLeast(target, includes.minKernel);
}

function kernelIsAtLeast({ kernel }: ResolveTarget, minimum: NonNullable<Condition["minKernel"]>): boolean {
  return kernel.major > minimum.major || (kernel.major === minimum.major && kernel.minor >= minimum.minor);
}

class Warnings {
  readonly list: ProfileWarning[] = [];
  readonly #seen = new Set<string>();

  /** Once for each code, pointer and subject: architectures repeat each other. */
  add(code: ProfileWarning["code"], pointer: string, subject: string, message: string): void {
    const key = `${code} ${pointer} ${subject}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.list.push({ code, message, pointer });
  }
}

function checkRule(rule: ProfileRule, isKnown: (call: string) => boolean, warnings: Warnings): void {
  for (const name of rule.names)
    if (!isKnown(name))
      warnings.add("UNKNOWN_CALL", rule.pointer, name, `no architecture has a system call named "${name}"`);
  if (repeatsAnIndex(rule.comparisons))
    warnings.add(
      "REPEATED_ARGUMENT",
      rule.pointer,
      "",
      "an argument is compared twice in one rule: its comparisons are taken as alternatives, as runc does",
    );
}

/** Such a rule is taken as one rule for each comparison, as runc does. */
export function repeatsAnIndex(comparisons: readonly Comparison[]): boolean {
  return new Set(comparisons.map(({ index }) => index)).size < comparisons.length;
}

/** What the rules say of one call on one architecture. */
interface Draft {
  readonly clauses: Clause[];
  /** The clauses' actions by their conditions. */
  readonly conditions: Map<string, number>;
  /** Of every conditional rule, also of one that an earlier rule with its condition keeps from deciding. */
  readonly actions: Set<number>;
  unconditional: number | undefined;
}

function emptyDraft(): Draft {
  return { clauses: [], conditions: new Map(), actions: new Set(), unconditional: undefined };
}

interface Section {
  readonly architecture: Architecture;
  readonly calls: readonly CallRule[];
  readonly ranges: readonly NumberRange[];
  readonly defaultAction: number;
}

function resolveArchitecture(
  profile: Profile,
  rules: readonly ProfileRule[],
  architecture: Architecture,
  named: ReadonlySet<string>,
  warnings: Warnings,
): Section {
  const table = syscallTable(architecture.name);
  const defaultAction = localAction(profile.defaultAction, profile.defaultErrnoName, architecture.name);
  const drafts = new Drafts(table);
  for (const rule of rules) {
    const action = localAction(rule.action, rule.errnoName, architecture.name);
    // runc and crun skip a rule that repeats the default, wherever it stands.
    if (action === defaultAction) {
      warnings.add("RULE_WITHOUT_EFFECT", rule.pointer, "", REPEATS_DEFAULT);
      continue;
    }
    const clauses = alternatives(rule, action, architecture, warnings);
    for (const name of rule.names) {
      const draft = drafts.of(name);
      if (draft === undefined) continue;
      if (clauses.length > 0) addClauses(draft, clauses, rule.pointer, name, warnings);
      else if (draft.unconditional === undefined) draft.unconditional = action;
      else if (draft.unconditional !== action)
        warnings.add(
          "CONFLICTING_RULES",
          rule.pointer,
          name,
          `"${name}" already has an unconditional rule with another action; the earlier one wins`,
        );
    }
  }
  addMultiplexed(drafts, defaultAction, warnings);
  return {
    architecture,
    calls: drafts.finish(architecture.argumentBits, defaultAction),
    ranges: newerRanges(architecture, table, defaultAction, named),
    defaultAction,
  };
}

const REPEATS_DEFAULT = "the rule repeats the default action: it is skipped, and other rules for its calls still count";

/** libseccomp refuses a condition that occurs again with another action (EEXIST); here the earlier rule decides. */
function addClauses(draft: Draft, clauses: readonly Clause[], pointer: string, name: string, warnings: Warnings): void {
  for (const clause of clauses) {
    draft.actions.add(clause.action);
    const condition = clause.comparisons.map(comparisonKey).sort().join();
    const earlier = draft.conditions.get(condition);
    if (earlier === undefined) {
      draft.conditions.set(condition, clause.action);
      draft.clauses.push(clause);
    } else if (earlier !== clause.action)
      warnings.add(
        "CONFLICTING_RULES",
        pointer,
        name,
        `"${name}" already has a rule with this condition and another action; the earlier one wins`,
      );
  }
}

function comparisonKey({ index, operator, value, mask }: Comparison): string {
  return `${index} ${operator} ${value} ${mask}`;
}

/** Drafts by number, so that two names of one number meet; and by name for what only a multiplexer carries. */
class Drafts {
  readonly #table: SyscallTable;
  readonly #byNumber = new Map<number, Draft>();
  readonly #carried = new Map<string, Draft>();

  constructor(table: SyscallTable) {
    this.#table = table;
  }

  /** Undefined for a name that means nothing on this architecture. */
  of(name: string): Draft | undefined {
    const number = this.#table.numbers.get(name);
    if (number === undefined) return this.carried(name) ?? this.#addCarried(name);
    let draft = this.#byNumber.get(number);
    if (draft === undefined) this.#byNumber.set(number, (draft = emptyDraft()));
    return draft;
  }

  /** The draft of a call that rules have named. */
  carried(name: string): Draft | undefined {
    const number = this.#table.numbers.get(name);
    return number === undefined ? this.#carried.get(name) : this.#byNumber.get(number);
  }

  has(name: string): boolean {
    return this.#table.numbers.has(name);
  }

  #addCarried(name: string): Draft | undefined {
    const multiplexer = multiplexedCalls.get(name)?.multiplexer;
    if (multiplexer === undefined || !this.has(multiplexer)) return undefined;
    const draft = emptyDraft();
    this.#carried.set(name, draft);
    return draft;
  }

  /** An unconditional rule beats conditional ones wherever it stands. */
  finish(argumentBits: 32 | 64, defaultAction: number): readonly CallRule[] {
    const calls: CallRule[] = [];
    for (const [number, { clauses, unconditional }] of this.#byNumber)
      if (unconditional !== undefined) calls.push({ number, argumentBits, clauses: [], otherwise: unconditional });
      else if (clauses.length > 0) calls.push({ number, argumentBits, clauses, otherwise: defaultAction });
    return calls.sort((a, b) => a.number - b.number);
  }
}

/** An errno given by name has the architecture's own number. */
function localAction(action: number, errno: string | undefined, architecture: ArchitectureName): number {
  const number = errno === undefined ? undefined : errnoNumber(errno, architecture);
  return number === undefined ? action : actionKind(action) + number;
}

/** A rule's clauses; none for an unconditional rule. */
function alternatives(
  { comparisons, pointer }: ProfileRule,
  action: number,
  architecture: Architecture,
  warnings: Warnings,
): readonly Clause[] {
  if (comparisons.length === 0) return [];
  const narrowed = comparisons.map((comparison) => narrow(comparison, architecture, pointer, warnings));
  return repeatsAnIndex(narrowed)
    ? narrowed.map((comparison) => ({ comparisons: [comparison], action }))
    : [{ comparisons: narrowed, action }];
}

/** On a 32-bit architecture only the low halves of datum and mask count, as with libseccomp. */
function narrow(comparison: Comparison, architecture: Architecture, pointer: string, warnings: Warnings): Comparison {
  if (architecture.argumentBits === 64) return comparison;
  const value = BigInt.asUintN(32, comparison.value);
  if (value !== comparison.value)
    warnings.add(
      "WIDE_DATUM",
      pointer,
      `${comparison.index} ${comparison.value}`,
      `argument ${comparison.index} is compared with 0x${comparison.value.toString(16)}, of which 32-bit architectures see the low 32 bits`,
    );
  return { ...comparison, value, mask: BigInt.asUintN(32, comparison.mask) };
}

/**
 * Give each function of socketcall(2) and ipc(2) the outcome that the profile gives the call it carries. Arguments of a
 * carried call lie in memory, where no filter sees them: a call with conditions gets the strictest outcome it can have.
 */
function addMultiplexed(drafts: Drafts, defaultAction: number, warnings: Warnings): void {
  for (const [name, { multiplexer, selector }] of multiplexedCalls) {
    const call = drafts.carried(name);
    if (call === undefined) continue;
    const carrier = drafts.of(multiplexer);
    if (carrier === undefined) continue;
    if (call.unconditional === undefined)
      warnings.add(
        "MULTIPLEXED_CALL",
        "",
        name,
        carrier.unconditional === undefined
          ? `conditions on "${name}" cannot be checked inside ${multiplexer}(2); there it gets the strictest outcome it can have`
          : `conditions on "${name}" can be walked around through ${multiplexer}(2), which the profile decides as a whole`,
      );
    const action = call.unconditional ?? strictest([defaultAction, ...call.actions]);
    if (action === defaultAction) continue;
    carrier.clauses.push({
      comparisons: [{ index: 0, operator: "MASKED_EQ", value: BigInt(selector), mask: selectorMask[multiplexer] }],
      action,
    });
  }
}

/** Defaults that let calls through need no ENOSYS, and an explicit ENOSYS default has it already (runc). */
function answersNewerCalls(defaultAction: number): boolean {
  const kind = actionKind(defaultAction);
  return kind !== SECCOMP_RET_ALLOW && kind !== SECCOMP_RET_LOG && kind !== SECCOMP_RET_TRACE;
}

/**
 * ENOSYS for the calls that are newer than the newest one the profile names on this architecture, by kernel release:
 * libc then falls back to the older call, where the profile's EPERM would be taken for the final answer.
 */
function newerRanges(
  architecture: Architecture,
  table: SyscallTable,
  defaultAction: number,
  named: ReadonlySet<string>,
): readonly NumberRange[] {
  if (!answersNewerCalls(defaultAction)) return [];
  const newer = callsNewerThan(architecture.name, (name) => named.has(name));
  if (newer === undefined) return [];
  const action = localAction(SECCOMP_RET_ERRNO + ENOSYS, "ENOSYS", architecture.name);
  const isNewer = (number: number): boolean => table.names.get(number)?.some((name) => newer.has(name)) ?? false;

  // setup(2), which only the kernel's own start could call: programs ask for it to see ENOSYS (runc).
  const setup: readonly NumberRange[] =
    architecture.name === "s390" || architecture.name === "s390x" ? [{ first: 0, last: 0, action }] : [];

  // Where nothing but newer calls follow, their range has no end short of the next block of numbers.
  let open = table.largest + 1;
  while (isNewer(open - 1)) open -= 1;
  const ranges: NumberRange[] = [...setup];
  const scattered = [...newer].map((name) => table.numbers.get(name) ?? 0).sort((a, b) => a - b);
  for (const number of new Set(scattered)) {
    if (number >= open) continue;
    const previous = ranges.at(-1);
    if (previous?.last === number - 1) ranges[ranges.length - 1] = { ...previous, last: number };
    else ranges.push({ first: number, last: number, action });
  }
  // The second block of arm and x32 is old: it keeps the default where no rule names a call.
  const [blockFirst, blockLast] = table.secondBlock ?? [];
  const end = architecture.name === "x86_64" ? X32_SYSCALL_BIT - 1 : MINUS_ONE - 1;
  if (blockFirst === undefined || blockLast === undefined) return [...ranges, { first: open, last: end, action }];
  return [...ranges, { first: open, last: blockFirst - 1, action }, { first: blockLast + 1, last: end, action }];
}

/**
 * x86_64 and x32 share one AUDIT_ARCH value. Where only one of them is filtered, the other's numbers are refused with
 * KILL_THREAD, like any architecture that is not listed; −1 stays with the default.
 */
function joinX32(sections: readonly Section[]): readonly ArchitectureRules[] {
  const joined: ArchitectureRules[] = [];
  const amd64 = sections.find(({ architecture }) => architecture.name === "x86_64");
  const x32 = sections.find(({ architecture }) => architecture.name === "x32");
  for (const section of sections) {
    const { architecture } = section;
    if (section !== amd64 && section !== x32) joined.push(finish(architecture, [section], []));
    else if (section === (amd64 ?? x32)) {
      const refused: NumberRange[] = [];
      if (amd64 === undefined) refused.push({ first: 0, last: X32_SYSCALL_BIT - 1, action: SECCOMP_RET_KILL_THREAD });
      if (x32 === undefined)
        refused.push({ first: X32_SYSCALL_BIT, last: MINUS_ONE - 1, action: SECCOMP_RET_KILL_THREAD });
      joined.push(
        finish(
          architecture,
          [amd64, x32].filter((part) => part !== undefined),
          refused,
        ),
      );
    }
  }
  return joined;
}

function finish(
  { auditArchitecture, bigEndian }: Architecture,
  parts: readonly Section[],
  refused: readonly NumberRange[],
): ArchitectureRules {
  const [first] = parts;
  if (first === undefined) throw new Error("an architecture section has at least one part");
  return {
    auditArchitecture,
    bigEndian,
    calls: parts.flatMap(({ calls }) => calls),
    ranges: [...parts.flatMap(({ ranges }) => ranges), ...refused].sort((a, b) => a.first - b.first),
    defaultAction: first.defaultAction,
  };
}
