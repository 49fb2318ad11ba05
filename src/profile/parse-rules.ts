/**
 * Flat rule lists → Filter IR: architectures, a default, and ordered rules of call, comparisons and action, for people
 * and programs that do not want a dialect's history. The first rule that matches decides, nothing is implied: no
 * native architecture, no ENOSYS for newer calls, no reach into socketcall(2). x32 is an architecture of its own. Schema: `profiles/schema/rules.schema.json`.
 */
import type { DocumentIssue } from "../schema/document-issues.ts";
import { documentIssues } from "../schema/document-issues.ts";
import { validateRuleList } from "../schema/generated/validators.js";
import type {
  ArchitectureRules,
  CallRule,
  Clause,
  Comparison,
  ComparisonOperator,
  Filter,
  NumberRange,
} from "../seccomp/filter.ts";
import { parseAction } from "./action-text.ts";
import { SECCOMP_RET_KILL_THREAD } from "./action.ts";
import {
  type Architecture,
  type ArchitectureName,
  architectureOf,
  findArchitecture,
  X32_SYSCALL_BIT,
} from "./architectures.ts";
import { invalidProfile } from "./invalid-profile.ts";
import { syscallTable } from "./syscall-tables.ts";

export interface RuleComparisonDocument {
  readonly argument: number;
  readonly op: "==" | "!=" | "<" | "<=" | ">" | ">=" | "&==";
  readonly value: number | string | bigint;
  readonly mask?: number | string | bigint;
}

export interface FlatRuleDocument {
  readonly call: string | number;
  readonly action: string;
  readonly when?: readonly RuleComparisonDocument[];
  readonly comment?: string;
}

export interface RuleListDocument {
  readonly architectures?: readonly string[];
  readonly default: string;
  /** `kill_thread` when absent. */
  readonly unknownArchitecture?: string;
  readonly rules: readonly FlatRuleDocument[];
  readonly comment?: string;
}

const operators: Readonly<Record<RuleComparisonDocument["op"], ComparisonOperator>> = {
  "==": "EQ",
  "!=": "NE",
  "<": "LT",
  "<=": "LE",
  ">": "GT",
  ">=": "GE",
  "&==": "MASKED_EQ",
};

const ALL_ONES = 0xffffffffffffffffn;

export interface ParsedRules {
  readonly filter: Filter;
  readonly architectures: readonly ArchitectureName[];
}

/**
 * `native` stands in when neither the list nor `instead`, which replaces the list's, names architectures.
 * @throws RuntimeError INVALID_PROFILE, `details.issues` are DocumentIssues
 */
export function parseRules(
  document: unknown,
  native: ArchitectureName,
  instead?: readonly ArchitectureName[],
): ParsedRules {
  const faults = documentIssues(validateRuleList, document);
  if (faults.length > 0) throw invalidProfile(faults);
  const list = document as RuleListDocument;
  const issues: DocumentIssue[] = [];
  const architectures = (instead ?? list.architectures ?? [native]).map((name, index) => {
    const found = findArchitecture(name);
    if (found === undefined)
      issues.push({ pointer: `/architectures/${index}`, message: `"${name}" is no architecture` });
    return found;
  });
  checkCalls(list, architectures, issues);
  const sections = architectures
    .filter((architecture) => architecture !== undefined)
    .map((architecture) => readSection(list, architecture, issues));
  const unknownArchitecture =
    list.unknownArchitecture === undefined
      ? SECCOMP_RET_KILL_THREAD
      : readAction(list.unknownArchitecture, native, "/unknownArchitecture", issues);
  const unique = [...new Map(issues.map((issue) => [`${issue.pointer} ${issue.message}`, issue])).values()];
  if (unique.length > 0) throw invalidProfile(unique);
  const names = [...new Set(architectures.flatMap((architecture) => architecture?.name ?? []))];
  const joined = joinByAuditArchitecture(sections, refusedHalf(names, unknownArchitecture));
  return { filter: { architectures: joined, unknownArchitecture }, architectures: names };
}

/** x86_64 and x32 share an AUDIT_ARCH value: the numbers of the one that is not listed are an unknown architecture's. */
function refusedHalf(listed: readonly ArchitectureName[], action: number): readonly NumberRange[] {
  if (listed.includes("x86_64") === listed.includes("x32")) return [];
  return listed.includes("x32")
    ? [{ first: 0, last: X32_SYSCALL_BIT - 1, action }]
    : // −1 is what a tracer writes to skip a call, and no call of any architecture.
      [{ first: X32_SYSCALL_BIT, last: 0xfffffffe, action }];
}

function checkCalls(
  list: RuleListDocument,
  architectures: readonly (Architecture | undefined)[],
  issues: DocumentIssue[],
): void {
  const tables = architectures.filter((entry) => entry !== undefined).map(({ name }) => syscallTable(name).numbers);
  for (const [index, { call }] of list.rules.entries())
    if (typeof call === "string" && tables.length > 0 && !tables.some((table) => table.has(call)))
      issues.push({
        pointer: `/rules/${index}/call`,
        message: `no listed architecture has a system call named "${call}"`,
      });
}

function readSection(list: RuleListDocument, architecture: Architecture, issues: DocumentIssue[]): ArchitectureRules {
  const { numbers } = syscallTable(architecture.name);
  const defaultAction = readAction(list.default, architecture.name, "/default", issues);
  const calls = new Map<number, { clauses: Clause[]; otherwise: number | undefined }>();
  for (const [index, rule] of list.rules.entries()) {
    const pointer = `/rules/${index}`;
    const action = readAction(rule.action, architecture.name, `${pointer}/action`, issues);
    const number = typeof rule.call === "number" ? rule.call : numbers.get(rule.call);
    const comparisons = (rule.when ?? []).map((when, position) =>
      readComparison(when, `${pointer}/when/${position}`, issues),
    );
    if (number === undefined) continue;
    let call = calls.get(number);
    if (call === undefined) calls.set(number, (call = { clauses: [], otherwise: undefined }));
    // What stands behind an unconditional rule is never reached.
    if (call.otherwise !== undefined) continue;
    if (comparisons.length === 0) call.otherwise = action;
    else call.clauses.push({ comparisons, action });
  }
  return {
    auditArchitecture: architecture.auditArchitecture,
    bigEndian: architecture.bigEndian,
    calls: [...calls]
      .sort(([a], [b]) => a - b)
      .map(([number, { clauses, otherwise }]): CallRule => ({
        number,
        argumentBits: architecture.argumentBits,
        clauses,
        otherwise: otherwise ?? defaultAction,
      })),
    ranges: [],
    defaultAction,
  };
}

/** x86_64 and x32 in one list are one section; the x32 half of a name has numbers of its own. */
function joinByAuditArchitecture(
  sections: readonly ArchitectureRules[],
  refused: readonly NumberRange[],
): readonly ArchitectureRules[] {
  const joined = new Map<number, ArchitectureRules>();
  const shared = architectureOf("x32").auditArchitecture;
  for (const plain of sections) {
    const section = plain.auditArchitecture === shared ? { ...plain, ranges: refused } : plain;
    const earlier = joined.get(section.auditArchitecture);
    joined.set(
      section.auditArchitecture,
      earlier === undefined ? section : { ...earlier, calls: mergeCalls(earlier.calls, section.calls) },
    );
  }
  return [...joined.values()];
}

function mergeCalls(left: readonly CallRule[], right: readonly CallRule[]): readonly CallRule[] {
  const merged = new Map<number, CallRule>();
  for (const call of [...left, ...right]) {
    const bits = call.number >= X32_SYSCALL_BIT ? 32 : call.argumentBits;
    if (!merged.has(call.number)) merged.set(call.number, { ...call, argumentBits: bits });
  }
  return [...merged.values()].sort((a, b) => a.number - b.number);
}

function readAction(text: string, architecture: ArchitectureName, pointer: string, issues: DocumentIssue[]): number {
  const action = parseAction(text, architecture);
  if (action !== undefined) return action;
  issues.push({ pointer, message: `"${text}" is no action` });
  return 0;
}

function readComparison(when: RuleComparisonDocument, pointer: string, issues: DocumentIssue[]): Comparison {
  const operator = operators[when.op];
  const value = readDatum(when.value, `${pointer}/value`, issues);
  if ((when.mask === undefined) === (operator === "MASKED_EQ"))
    issues.push({ pointer, message: when.mask === undefined ? "&== needs a mask" : `${when.op} takes no mask` });
  const mask = when.mask === undefined ? ALL_ONES : readDatum(when.mask, `${pointer}/mask`, issues);
  // A datum outside its mask could never match, which nobody means.
  if (operator === "MASKED_EQ" && (value & mask) !== value)
    issues.push({ pointer: `${pointer}/value`, message: "the value has bits outside of the mask" });
  return { index: when.argument, operator, value, mask };
}

function readDatum(datum: number | string | bigint, pointer: string, issues: DocumentIssue[]): bigint {
  const isNumber =
    typeof datum === "number" ? Number.isSafeInteger(datum) : /^(0x[0-9a-fA-F]+|\d+)$/.test(datum.toString());
  if (!isNumber) {
    issues.push({ pointer, message: `${JSON.stringify(datum)} is no unsigned number` });
    return 0n;
  }
  const value = BigInt(datum);
  if (value < 0n || value > ALL_ONES) issues.push({ pointer, message: `${value} is no unsigned 64-bit number` });
  return BigInt.asUintN(64, value);
}
